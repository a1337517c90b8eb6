"""Small `.tflite` files of each kind, and what they answer."""

import copy
import dataclasses
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from asr_qat.arrays import Array
from asr_qat.audio.front_end import log_mel
from tflite_export.convert.serialize import attach_metadata, serialize
from tflite_export.runtime.live.live_model import live_model
from tflite_export.runtime.live.whole_recording import recognise_features
from tflite_export.runtime.metadata import Metadata, read_metadata
from tflite_export.runtime.recogniser import TFLiteRecogniser

# Models that understand tones; files of an earlier version, without a checksum.
TONES = Path(__file__).parents[2] / "tests/data"
KINDS = ("ctc", "transducer", "live")
SAMPLES = 24_000


@dataclasses.dataclass(frozen=True)
class Model:
    """A valid file.

    Attributes:
        content: of the file, with a checksum.
        recogniser: that was loaded from it.
        answer: to `audio()`.
    """

    content: bytes
    recogniser: TFLiteRecogniser
    answer: bytes


def make(folder: Path) -> dict[str, Model]:
    """One of each kind, in files `KIND.tflite`."""
    found = {}
    for kind in KINDS:
        path = folder / f"{kind}.tflite"
        path.write_bytes(sealed(TONES / f"tones_{kind}.tflite"))
        recogniser = TFLiteRecogniser(path)
        found[kind] = Model(path.read_bytes(), recogniser, answer(recogniser))
    return found


def sealed(path: Path) -> bytes:
    """A file as a conversion writes it today."""
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    attach_metadata(model, read_metadata(path))
    return serialize(model)


def audio() -> Array:
    """Tones in noise, float32 `[SAMPLES]`."""
    time = np.arange(SAMPLES) / 16_000
    hz = np.where(time < 0.75, 440.0, 880.0)
    noise = np.random.default_rng(0).normal(0, 0.01, SAMPLES)
    return (0.3 * np.sin(2 * np.pi * hz * time) + noise).astype(np.float32)


def answer(recogniser: TFLiteRecogniser) -> bytes:
    """All numbers that it finds in `audio()`, and the labels."""
    return answer_to(recogniser, recogniser.features(audio()))


def answer_to(recogniser: TFLiteRecogniser, features: Array) -> bytes:
    """The same of normalised features `[frames, mel_bins]`."""
    if recogniser.live:
        found = recognise_features(live_model(recogniser), features)
        return repr((found.first.tokens, found.second.tokens)).encode()
    if len(features) == 0:
        return b""
    return recogniser.encode(features).tobytes() + bytes(recogniser.tokens(features))


def meant(model: Model, told: Metadata) -> bytes:
    """What the graph of `model` finds with front end, statistics and live format of `told`.

    The features are computed here, apart from how a recogniser computes them.
    """
    recogniser = copy.copy(model.recogniser)
    recogniser.metadata = told
    features = (log_mel(audio(), told.front_end) - told.mean) / told.std
    return answer_to(recogniser, features.astype(np.float32))
