"""Utterances recognised from features, by a file as it is or one that is watched."""

import dataclasses
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from asr_qat.arrays import Array
from asr_qat.leftovers import temporary_folder
from tflite_export.runtime.live.live_model import LiveModel, live_model
from tflite_export.runtime.live.whole_recording import recognise_features
from tflite_export.runtime.model_file import ModelFile
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.runtime.signatures import InterpretedSignatures
from tflite_export.score.device.watched_products import WatchedProducts


def flatbuffer_of(path: str | Path) -> schema.ModelT:
    """The flatbuffer object of a file, which takes a while to read."""
    return flatbuffer_utils.read_model_from_bytearray(bytearray(ModelFile.read(path).content))


@dataclasses.dataclass(frozen=True)
class Recognised:
    """An utterance.

    Attributes:
        text: of a live model in both passes, with a bar between them.
        logits: float32 `[steps, classes]`; None of a live model.
    """

    text: str
    logits: Array | None


class DeviceRecogniser(TFLiteRecogniser):
    """A file whose runtime may be without XNNPACK.

    Args:
        path: of the file.
        threads: CPU threads.
        xnnpack: with LiteRT's delegate, as by default.
    """

    def __init__(self, path: str | Path, threads: int = 1, xnnpack: bool = True):
        super().__init__(path, threads)
        if not xnnpack:
            content = ModelFile.read(path).content
            self.signatures = InterpretedSignatures(content, threads, xnnpack=False)
        self._live_model: LiveModel | None = None

    def recognised(self, features: Array) -> Recognised:
        """Greedy search in normalised features `[frames, mel_bins]`."""
        decode = self.metadata.tokenizer.decode
        if not self.live:
            found = self.recognise(features)
            return Recognised(decode(found.tokens), found.logits)
        if self._live_model is None:
            self._live_model = live_model(self)
        both = recognise_features(self._live_model, features)
        return Recognised(f"{decode(both.first.tokens)} | {decode(both.second.tokens)}", None)


class WatchedRecogniser(DeviceRecogniser):
    """The same with every product compared whenever a signature has run.

    Args:
        model: of the file, a flatbuffer object, changed in place.
        threads: CPU threads.
        xnnpack: with LiteRT's delegate, as by default.

    Attributes:
        products: what was found of them.
    """

    def __init__(self, model: schema.ModelT, threads: int = 1, xnnpack: bool = True):
        self.products = WatchedProducts(model)
        with temporary_folder() as folder:
            copy = folder / "watched.tflite"
            copy.write_bytes(self.products.content)
            super().__init__(copy, threads, xnnpack)

    def call(self, signature: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """As of `TFLiteRecogniser`."""
        return self.products.check(super().call(signature, **inputs))
