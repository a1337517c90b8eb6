"""Files that experiments keep in a folder, and the model that they were made from."""

from pathlib import Path

from asr_qat import files
from asr_qat.errors import require
from asr_qat.models.model_directory import weights_checksum


def require_made_from(model: str | Path, work: Path) -> None:
    """Let a folder keep files of one model: what was measured goes on with the same one alone.

    Raises:
        UserError: the folder has those of another model.
    """
    checksum, place = weights_checksum(Path(model)), work / "model.sha256"
    before = files.read_text(place) if place.exists() else checksum
    another = f"{work}: was made from another {Path(model).name}: remove it, or choose --work"
    require(before == checksum, another)
    files.write_text(place, checksum)
