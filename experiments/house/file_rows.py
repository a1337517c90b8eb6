"""Row on the files of the shipped models: the same bytes as before the folders were made anew.

`files_before.json` holds the checksums, made with the code of the commit that it names. Static
activations (`w4a8s`) need the prepared corpus CMU AN4 in `work/an4`.
"""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

from asr_qat import files
from experiments.house.environment import ROOT
from experiments.house.row import Row, equal

BEFORE = Path(__file__).with_name("files_before.json")
CALIBRATION = ROOT / "work/an4"


def identical_files() -> Row:
    """How many of the files come out as before."""
    from tflite_export.convert.convert import convert

    before = files.read_json(BEFORE)["files"]
    same = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "now.tflite"
        for name, checksum in before.items():
            model, precision = name.split("/")
            calibration = CALIBRATION if precision.endswith("s") else None
            convert(ROOT / "models" / model, path, precision, None, calibration)
            same += hashlib.sha256(path.read_bytes()).hexdigest() == checksum
    return equal(f"files of the shipped models as before, of {len(before)}", same, len(before))


ROWS: list[Callable[[], Row]] = [identical_files]
