"""Row on the files of the shipped models: the same bytes as before the folders were made anew.

`files_before.json` holds the checksums, made with the code of the commit that it names. Each file
is made in a process of its own: TensorFlow's converter lays out some constants of a file by what
the process converted before. Static activations (`w4a8s`) need the prepared corpus CMU AN4 in
`work/an4`.
"""

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from asr_qat import files
from experiments.house.environment import ROOT
from experiments.targets import Row, equal

BEFORE = Path(__file__).with_name("files_before.json")
CALIBRATION = ROOT / "work/an4"
CONVERT: tuple[str | Path, ...] = (sys.executable, "-m", "tflite_export.cli", "convert")


def identical_files() -> Row:
    """How many of the files come out as before."""
    before = files.read_json(BEFORE)["files"]
    same = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "now.tflite"
        for name, checksum in before.items():
            model, precision = name.split("/")
            command = [*CONVERT, ROOT / "models" / model, "--precision", precision, "-o", path]
            if precision.endswith("s"):
                command += ["--calibration", CALIBRATION]
            subprocess.run(command, capture_output=True, check=True)
            same += hashlib.sha256(path.read_bytes()).hexdigest() == checksum
    return equal(f"files of the shipped models as before, of {len(before)}", same, len(before))


ROWS: list[Callable[[], Row]] = [identical_files]
