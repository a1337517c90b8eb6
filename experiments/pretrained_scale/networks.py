"""Networks of published sizes with random weights, as model directories and as files."""

import dataclasses
import time
from pathlib import Path

from asr_qat.models.model_directory import Recogniser
from asr_qat.pretrained.import_checkpoint import import_checkpoint
from asr_qat.pretrained.network import Head
from experiments.pretrained.peer import run_script
from experiments.pretrained_scale.rows import FileRow
from tflite_export.convert.convert import convert
from tflite_export.score.fresh_process import peak_memory_mb, result_of

SECONDS = 10.0  # of audio, and of the one signature
FLOAT_BYTES = 4


@dataclasses.dataclass(frozen=True)
class Network:
    """A network of `experiments/pretrained/nemo_reference.py`.

    Attributes:
        name: in words.
        kind: see there.
        size: the same.
        head: that is imported.
        precisions: of its files.
    """

    name: str
    kind: str
    size: str
    head: Head
    precisions: tuple[str, ...]


class Made:
    """What is made of a network, each thing when it is first asked for.

    Args:
        network: that is made.
        work: folder that keeps it for the next time.
        peer_python: Python of the environment with NeMo.
    """

    def __init__(self, network: Network, work: Path, peer_python: Path):
        self.network = network
        self.folder = work / f"{network.kind}_{network.size}"
        self._peer_python = peer_python

    def archive(self) -> Path:
        """NeMo's checkpoint."""
        path = self.folder / "reference.nemo"
        if not path.exists():
            words = (self.network.kind, self.network.size, "--out", path.with_suffix(""))
            run_script(self._peer_python, "nemo_reference.py", *words, "--seconds", "1")
        return path

    def model(self) -> Path:
        """The model directory."""
        path = self.folder / "model"
        if not path.exists():
            head = self.network.head
            result_of(import_checkpoint, str(self.archive()), str(path), head, quiet=True)
        return path

    def file(self, precision: str) -> Path:
        """The `.tflite` of a precision."""
        path = self.folder / f"{precision}.tflite"
        if not path.exists():
            self.export(precision)
        return path

    def export(self, precision: str) -> FileRow:
        """Write the `.tflite` of a precision, and what that takes."""
        path, model = self.folder / f"{precision}.tflite", self.model()
        parameters = result_of(parameters_of, str(model))
        started = time.monotonic()
        peak = peak_memory_mb(convert, str(model), str(path), precision, (SECONDS,))
        return FileRow(
            network=self.network.name,
            precision=precision,
            parameters=parameters,
            bytes=path.stat().st_size,
            ratio=FLOAT_BYTES * parameters / path.stat().st_size,
            export_seconds=time.monotonic() - started,
            export_peak_mb=peak,
        )

    def onnx(self, kind: str) -> Path:
        """NeMo's export with `float`, `int8`, `int4` or `int2` weights."""
        path = self.folder / "onnx" / f"{kind}.onnx"
        script = "../pretrained_scale/onnx_peer.py"
        if not path.with_name("float.onnx").exists():
            run_script(self._peer_python, script, "export", self.archive(), path.parent)
        if not path.exists():
            run_script(self._peer_python, script, "quantize", path.parent, kind)
        return path


def parameters_of(model: str) -> int:
    """Parameters of a model directory."""
    return int(Recogniser.load(model).model.count_params())
