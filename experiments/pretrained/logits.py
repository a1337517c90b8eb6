"""Networks of published sizes with random weights: our logits against the original library's."""

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from asr_qat.decoding.transducer_steps import TransducerSteps
from asr_qat.models.model_directory import Recogniser
from asr_qat.pretrained.import_checkpoint import import_checkpoint
from asr_qat.pretrained.network import Head
from asr_qat.provenance import code_commit
from asr_qat.quantize.precision import FLOAT
from experiments.pretrained.peer import run_script
from tflite_export.convert.convert import convert
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score.fresh_process import result_of

SECONDS = 10.0  # of the longer of two recordings in a batch
FLATBUFFER_BYTES = 2**31  # that no file may have
FLOAT_BYTES = 4


@dataclasses.dataclass(frozen=True)
class Case:
    """A network of a published size, and one of its heads.

    Attributes:
        name: in tables.
        kind: see `nemo_reference.py`.
        size: the same.
        head: that is imported.
    """

    name: str
    kind: str
    size: str
    head: Head


CASES = (
    Case("Conformer-CTC small", "ctc", "small", "ctc"),
    Case("Conformer-CTC medium", "ctc", "medium", "ctc"),
    Case("Conformer-CTC large", "ctc", "large", "ctc"),
    Case("FastConformer-CTC large", "fastconformer-ctc", "large", "ctc"),
    Case("hybrid TDT-CTC 110 M, CTC head", "hybrid", "110m", "ctc"),
    Case("hybrid TDT-CTC 110 M, TDT head", "hybrid", "110m", "transducer"),
    Case("Conformer RNN-T large", "rnnt", "large", "transducer"),
    Case("FastConformer RNN-T large", "fastconformer-rnnt", "large", "transducer"),
    Case("FastConformer TDT 0.6 B", "tdt", "0.6b", "transducer"),
)


@dataclasses.dataclass(frozen=True)
class LogitsRow:
    """How far our logits are from the library's.

    Attributes:
        name: of the network.
        parameters: of our Keras model.
        deviation: standard deviation of the library's logits, to compare with.
        keras: largest difference of the Keras model for the longer recording.
        keras_padded: the same for the shorter one, padded in the batch.
        tflite: largest difference of the float file, of both recordings one by one; None where
            a flatbuffer cannot hold it.
        commit: of the code that measured it.
    """

    name: str
    parameters: int
    deviation: float
    keras: float
    keras_padded: float
    tflite: float | None
    commit: str


def measure(case: Case, peer_python: Path) -> LogitsRow:
    """Make the network in the library's environment, import it, and compare.

    Args:
        case: the network.
        peer_python: of the environment with NeMo.
    """
    with tempfile.TemporaryDirectory() as folder:
        reference = Path(folder) / "reference"
        words = (case.kind, case.size, "--out", reference, "--seconds", str(SECONDS))
        run_script(peer_python, "nemo_reference.py", *words)
        model = Path(folder) / "model"
        import_checkpoint(reference.with_suffix(".nemo"), model, case.head, quiet=True)
        reference.with_suffix(".nemo").unlink()
        outputs = reference.with_suffix(".npz")
        # Each in a process of its own, which gives its memory back.
        keras = result_of(keras_differences, str(model), str(outputs))
        tflite = None
        if keras["parameters"] * FLOAT_BYTES < FLATBUFFER_BYTES:
            path = Path(folder) / "float.tflite"
            result_of(convert, str(model), str(path), FLOAT, (SECONDS,))
            tflite = result_of(file_difference, str(path), str(outputs))
    return LogitsRow(name=case.name, tflite=tflite, commit=code_commit(), **keras)


def keras_differences(model: str, outputs: str) -> dict[str, float]:
    """The fields of `LogitsRow` for a model directory.

    Args:
        model: the directory.
        outputs: of `nemo_reference.py`.
    """
    recogniser, found = Recogniser.load(model), dict(np.load(outputs))
    transducer = recogniser.config.transducer is not None
    decoder: Any = recogniser.decoder()
    logits, steps = _logits(found, transducer), decoder if transducer else None
    encoded = decoder.encode(found["features"], found["lengths"].astype(np.int32))
    longer, shorter = (
        _difference(_own_logits(steps, encoded[row], found, row), logits[row], frames)
        for row, frames in enumerate(found["frames"])
    )
    return {
        "parameters": recogniser.model.count_params(),
        "deviation": float(logits[0].std()),
        "keras": longer,
        "keras_padded": shorter,
    }


def file_difference(path: str, outputs: str) -> float:
    """The largest difference of a float file, which takes the two recordings one by one.

    Arguments are those of `keras_differences`, with a `.tflite` file.
    """
    device, found = TFLiteRecogniser(path), dict(np.load(outputs))
    differences = []
    for row, length in enumerate(found["lengths"]):
        encoded = device.encode(found["features"][row, :length])
        own = _own_logits(device.steps, encoded, found, row)
        theirs = _logits(found, device.steps is not None)[row]
        differences.append(_difference(own, theirs, len(encoded)))
    return max(differences)


def _logits(found: dict[str, np.ndarray], transducer: bool) -> np.ndarray:
    """The library's, of the head that was imported."""
    return found["joint" if transducer else "ctc"]


def _own_logits(
    steps: TransducerSteps | None, encoded: np.ndarray, found: dict[str, np.ndarray], row: int
) -> np.ndarray:
    """A CTC model's are what it encodes; a transducer's are those for the reference's labels.

    Returns:
        `[frames, classes]`, or `[frames, 1 + labels, classes]`.
    """
    if steps is None:
        return encoded
    labels = np.concatenate([[steps.blank], found["labels"][row]]).astype(np.int32)
    state, columns = steps.initial_state(1), []
    for label in labels:
        predicted, state = steps.predict(label[None], state)
        rows = np.repeat(predicted, len(encoded), axis=0)
        columns.append(steps.join(encoded, rows))
    return np.stack(columns, axis=1)


def _difference(own: np.ndarray, theirs: np.ndarray, frames: int) -> float:
    return float(np.abs(own[:frames] - theirs[:frames]).max())
