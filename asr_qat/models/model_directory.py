"""A model on disk: configuration, vocabulary, feature statistics and weights.

config.json             ModelConfig: encoder, front end, quantization, transducer, streaming,
                        normaliser of the texts
tokenizer.model         SentencePiece
stats.json              mean and std of the training features
model.weights.h5        Keras weights, with a checksum
"""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

from asr_qat import files
from asr_qat.config import from_dict
from asr_qat.corpora.prepared import FeatureStats, PreparedFolder
from asr_qat.errors import UserError, require
from asr_qat.models.keras_decoder import Decoder
from asr_qat.models.layer_names import Pass
from asr_qat.models.model_config import ModelConfig
from asr_qat.models.weights import load_weights, save_weights
from asr_qat.quantize.apply import quantize_model
from asr_qat.text.normalizers import keeps_case
from asr_qat.text.tokenizer import Tokenizer

CONFIG, TOKENIZER, STATS, WEIGHTS = (
    "config.json",
    "tokenizer.model",
    "stats.json",
    "model.weights.h5",
)


@tf.autograph.experimental.do_not_convert  # nothing to convert, and it takes seconds to see it
def build_float(config: ModelConfig, vocab_size: int) -> keras.Model:
    """The model that `config` describes, not quantized, with initial weights."""
    return config.kind.build(vocab_size)


@dataclasses.dataclass
class Recogniser:
    """A Keras model with all that turns audio into text.

    Attributes:
        config: how the model was built.
        tokenizer: the vocabulary.
        mean: float32 `[mel_bins]` of the training features.
        std: float32 `[mel_bins]` of the training features.
        model: the Keras model.
    """

    config: ModelConfig
    tokenizer: Tokenizer
    mean: np.ndarray
    std: np.ndarray
    model: Any

    @classmethod
    def create(cls, config: ModelConfig, tokenizer: Tokenizer, mean, std) -> "Recogniser":
        """A recogniser with initial weights, quantized if `config` says so."""
        model = build_float(config, tokenizer.vocab_size)
        if config.quantization is not None:
            model = quantize_model(model, config.quantization)
        mean, std = np.asarray(mean, np.float32), np.asarray(std, np.float32)
        return cls(config, tokenizer, mean, std, model)

    @classmethod
    def load(cls, path: str | Path) -> "Recogniser":
        """Read a model directory.

        Raises:
            UserError: naming the file that is missing, damaged or does not fit the others.
        """
        found = cls.load_without_model(path)
        recogniser = cls.create(found.config, found.tokenizer, found.mean, found.std)
        load_weights(recogniser.model, files.place(path) / WEIGHTS)
        return recogniser

    @classmethod
    def load_without_model(cls, path: str | Path) -> "Recogniser":
        """Read all of a model directory but its weights: `model` is None. Raises as `load`."""
        path = files.place(path)
        _check_complete(path)
        config = from_dict(ModelConfig, files.read_json(path / CONFIG), str(path / CONFIG))
        mean, std = _stats(path / STATS, config.front_end.mel_bins)
        tokenizer = Tokenizer.load(path / TOKENIZER)
        tokenizer = tokenizer.with_case() if keeps_case(config.normalizer) else tokenizer
        return cls(config, tokenizer, mean, std, None)

    def stats_for(self, folder: PreparedFolder) -> FeatureStats:
        """The folder's statistics, with this recogniser's normalisation and front end."""
        return dataclasses.replace(
            folder.stats, mean=self.mean, std=self.std, front_end=self.config.front_end
        )

    def model_inputs(self, inputs, targets):
        """The model's inputs in a batch of `Pipeline`: a transducer reads the labels too."""
        return self.config.kind.model_inputs(inputs, targets)

    def decoder(self, pass_name: Pass | None = None) -> Decoder:
        """The search with this model; of a live one in either pass, None for the last."""
        return self.config.kind.decoder(self.model, pass_name)

    def save(self, path: str | Path) -> None:
        """Write the model directory, each file whole or not at all, the weights last."""
        path = files.place(path)
        path.mkdir(parents=True, exist_ok=True)
        files.write_json(path / CONFIG, self.config.to_json())
        files.write_bytes(path / TOKENIZER, self.tokenizer.proto)
        stats = {"mean": self.mean.tolist(), "std": self.std.tolist()}
        files.write_json(path / STATS, stats)
        save_weights(self.model, path / WEIGHTS)


def weights_checksum(path: str | Path) -> str:
    """SHA-256 of the weights file of a model directory: tells one model from another.

    Raises:
        UserError: no such model directory, or one that lacks a file.
    """
    path = files.place(path)
    _check_complete(path)
    return hashlib.sha256((path / WEIGHTS).read_bytes()).hexdigest()


def _check_complete(path: Path) -> None:
    if not path.is_dir():
        raise UserError(f"{path}: no such model directory")
    for name in (CONFIG, TOKENIZER, STATS, WEIGHTS):
        if not (path / name).is_file():
            raise UserError(f"{path}: no {name}: not a complete model directory, train again")


def _stats(path: Path, mel_bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation in `stats.json`. Raises `UserError` if they do not fit."""
    content = files.read_json(path)
    try:
        mean, std = (np.array(content[key], np.float32) for key in ("mean", "std"))
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: damaged ({error}): copy it again, or train again") from None
    fits = mean.shape == std.shape == (mel_bins,)
    sound = bool(np.isfinite(mean).all() and (std > 0).all())
    require(fits and sound, f"{path}: damaged (not {mel_bins} means and deviations): train again")
    return mean, std
