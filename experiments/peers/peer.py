"""The files of a network, and the processes that run them."""

import dataclasses
import importlib.util
import subprocess
import sys
from pathlib import Path

from experiments.peers.rows import (
    INT4,
    LITERT,
    ONNX_RUNTIME,
    OPENVINO,
    TWO_BITS,
    WIDENED,
    RefusedRow,
)
from experiments.pretrained_scale import running
from experiments.pretrained_scale.networks import Made
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.runtime.widen import NO, Widen

PRECISIONS = {"float": "float", "int8": "w8a8", INT4: "w4a8", TWO_BITS: "w2a8"}  # by weights
WIDER: Widen = 4  # bits
OPENVINO_PEER = Path(__file__).with_name("openvino_peer.py")
PACKAGES = {ONNX_RUNTIME: "onnxruntime", OPENVINO: "openvino"}


@dataclasses.dataclass(frozen=True)
class Peer:
    """A file in a runtime; see `SpeedRow`.

    Attributes:
        runtime: by name.
        weights: of the file.
        path: of it.
        frames: of the features that it encodes.
        python: that has the runtime.
    """

    runtime: str
    weights: str
    path: Path
    frames: int
    python: Path

    @property
    def kind(self) -> str:
        """`.tflite` or `.onnx`."""
        return self.path.suffix

    def command(self, threads: int) -> list[str]:
        """What runs it, see `experiments.pretrained_scale.running`."""
        if self.runtime == LITERT:
            widen: Widen = WIDER if self.weights == WIDENED else NO
            return running.litert(self.path, widen=widen, threads=threads)
        if self.runtime == ONNX_RUNTIME:
            return running.onnx(self.path, self.python, self.frames, threads)
        options = ["--frames", str(self.frames), "--threads", str(threads)]
        return [str(self.python), str(OPENVINO_PEER), str(self.path), *options]

    def refusal(self) -> RefusedRow | None:
        """Why it does not run, if so: it is run once."""
        done = subprocess.run(self.command(1), input="", capture_output=True, text=True)
        if done.returncode == 0:
            return None
        said = done.stderr.strip().splitlines() or [f"ended with exit code {done.returncode}"]
        return RefusedRow(
            runtime=self.runtime, weights=self.weights, file=self.kind, message=said[-1].strip()
        )


def peers_of(made: Made, peer_python: Path) -> list[Peer]:
    """The files of a network in all runtimes, LiteRT's int4 first; what is missing is made."""
    own = {weights: made.file(precision) for weights, precision in PRECISIONS.items()}
    frames = TFLiteRecogniser(own[INT4]).lengths[-1]
    exported = {weights: made.onnx(weights) for weights in PRECISIONS}
    here = Path(sys.executable)
    python = {name: python_with(package, peer_python) for name, package in PACKAGES.items()}
    litert = [Peer(LITERT, weights, path, frames, here) for weights, path in own.items()]
    litert.append(Peer(LITERT, WIDENED, own[TWO_BITS], frames, here))
    litert.sort(key=lambda peer: peer.weights != INT4)
    others = [
        Peer(ONNX_RUNTIME, weights, path, frames, python[ONNX_RUNTIME])
        for weights, path in exported.items()
    ]
    for files in (exported, own):
        others += [
            Peer(OPENVINO, weights, path, frames, python[OPENVINO])
            for weights, path in files.items()
        ]
    return [*litert, *others]


def python_with(package: str, peer_python: Path) -> Path:
    """This Python if it has a package, else that of the other environment."""
    return Path(sys.executable) if importlib.util.find_spec(package) else peer_python
