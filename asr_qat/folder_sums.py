"""`SHA256SUMS`: checksums of the files of a folder, such as `sha256sum --check SHA256SUMS` reads.

    8498bd34427492648811cb677b6eaa9cf39c670adf51e8f1c91b19b53af8f9b3  model.weights.h5

They are removed before a file of the folder changes and written after all files: a process that is
killed in between leaves none. Folders without, as earlier versions wrote them, are read too.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from asr_qat import files
from asr_qat.errors import UserError, require

SUMS = "SHA256SUMS"
MOST_BYTES = 1 << 20
_LINE = re.compile(r"([0-9a-f]{64}) [ *]([^/\0]+)")


def begin(folder: Path) -> None:
    """Remove the checksums: files of the folder are about to change."""
    (folder / SUMS).unlink(missing_ok=True)


def write(folder: Path, names: Iterable[str]) -> None:
    """Write the checksums of the files of these names."""
    lines = [f"{files.sha256(folder / name)}  {name}\n" for name in names]
    files.write_text(folder / SUMS, "".join(lines))


def check(folder: Path, *names: str) -> bool:
    """Compare files of a folder with its checksums.

    Returns:
        Whether the folder has checksums.

    Raises:
        UserError: naming the file that changed, or that has no checksum where others have.
        FileNotFoundError: there is no such file.
    """
    path = folder / SUMS
    try:
        lines = files.read_lines(path, MOST_BYTES)
    except FileNotFoundError:
        return False
    matches = [_LINE.fullmatch(line) for line in lines]
    expected = {match[2]: match[1] for match in matches if match}
    mend = f"copy {folder} again, or remove {path} if you changed it yourself"
    for name in names:
        if name not in expected or len(expected) < len(lines):
            raise UserError(f"{path}: damaged, or has no line for {name}: {mend}")
        same = files.sha256(folder / name) == expected[name]
        require(same, f"{folder / name}: damaged (not as {SUMS} has it): {mend}")
    return True
