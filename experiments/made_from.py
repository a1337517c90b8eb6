"""Files that experiments keep in a folder, and the model that they were made from."""

from pathlib import Path

from asr_qat import files
from asr_qat.errors import require
from asr_qat.models.model_directory import weights_checksum


def require_made_from(model: str | Path, work: Path) -> None:
    """Let a folder keep what is made of one model directory: what goes on, goes on with that.

    Raises:
        UserError: the folder has what was made of another one.
    """
    model = Path(model)
    checksum, begun = weights_checksum(model), work / f"{model.name}.sha256"
    same = not begun.is_file() or files.read_text(begun) == checksum
    require(same, f"{work}: was made from another {model.name}: remove it, or choose --work")
    files.write_text(begun, checksum)
