"""Row on the files of the shipped models: the same content as before the folders were made anew.

Of the models that were shipped then and are now: a model that is replaced has other files.

`files_before.json` holds the checksums, made with the code of the commit that it names. They leave
out buffers that nothing refers to: the converter used to leave two of them, with a fingerprint of
the process. They leave out too what files have had since then, the checksum in the head and the
version of the metadata that says so; and the files are made with `--strip-names`, since the names
of all tensors came later. Each file is made in a process of its own: TensorFlow's converter lays
out some constants of a file by what the process converted before. Static activations (`w4a8s`) need
the prepared corpus CMU AN4 in `work/an4`.
"""

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ai_edge_litert.tools import flatbuffer_utils

from asr_qat import files
from experiments.house.environment import ROOT
from experiments.targets import Row, equal
from tflite_export.runtime.metadata import DESCRIPTION, VERSION

BEFORE = Path(__file__).with_name("files_before.json")
CONVERT: tuple[str | Path, ...] = (sys.executable, "-m", "tflite_export.cli", "convert")


def content_checksum(path: Path) -> str:
    """SHA-256 of a file as if it held no buffer that nothing refers to, and no checksum."""
    model = flatbuffer_utils.read_model(str(path))
    for entry in model.metadata or []:
        if entry.name == DESCRIPTION.encode():
            described = bytes(model.buffers[entry.buffer].data)
            before = described.replace(f'"version":{VERSION}'.encode(), b'"version":1', 1)
            model.buffers[entry.buffer].data = np.frombuffer(before, np.uint8)
    owners = [*(model.metadata or []), *(t for graph in model.subgraphs for t in graph.tensors)]
    used = sorted({0, *(owner.buffer for owner in owners)})  # the first one is the empty one
    model.buffers = [model.buffers[index] for index in used]
    numbers = {index: number for number, index in enumerate(used)}
    for owner in owners:
        owner.buffer = numbers[owner.buffer]
    return hashlib.sha256(flatbuffer_utils.convert_object_to_bytearray(model)).hexdigest()


def made_now(name: str, folder: Path) -> Path:
    """The file `MODEL/PRECISION` of `files_before.json`, made by the code of today."""
    model, precision = name.split("/")
    path = folder / "now.tflite"
    command = [*CONVERT, ROOT / "models" / model, "--precision", precision]
    command += ["--strip-names", "-o", path]
    subprocess.run(command, capture_output=True, check=True)
    return path


def identical_files() -> Row:
    """How many of the files come out as before."""
    before = files.read_json(BEFORE)["files"]
    same = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, checksum in before.items():
            same += content_checksum(made_now(name, Path(folder))) == checksum
    return equal(f"files of the shipped models as before, of {len(before)}", same, len(before))


ROWS: list[Callable[[], Row]] = [identical_files]
