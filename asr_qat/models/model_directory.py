"""A model on disk: configuration, vocabulary, feature statistics and weights.

config.json             ModelConfig: encoder, front end, quantization, transducer, streaming,
                        normaliser of the texts
tokenizer.model         SentencePiece
stats.json              mean and std of the training features
model.weights.h5        Keras weights, with a checksum of their own
SHA256SUMS              checksums of all these, see `asr_qat.folder_sums`
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

from asr_qat import files, folder_sums
from asr_qat.config import from_dict, load_json
from asr_qat.corpora.feature_stats import FeatureStats, SavedMoments
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.errors import UserError
from asr_qat.models.keras_decoder import Decoder
from asr_qat.models.layer_names import Pass
from asr_qat.models.model_config import ModelConfig
from asr_qat.models.weights import check_weights, load_weights, save_weights
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
        weights, checked = found.weights_in(path)
        recogniser = cls.create(found.config, found.tokenizer, found.mean, found.std)
        load_weights(recogniser.model, weights, checked)
        return recogniser

    @classmethod
    def load_without_model(cls, path: str | Path) -> "Recogniser":
        """Read all of a model directory but its weights: `model` is None. Raises as `load`."""
        path = files.place(path)
        _check_complete(path)
        folder_sums.check(path, CONFIG, TOKENIZER, STATS)
        config = load_json(path / CONFIG, ModelConfig)
        mean, std = _moments(path / STATS, config.front_end.mel_bins)
        tokenizer = Tokenizer.load(path / TOKENIZER)
        tokenizer = tokenizer.with_case() if keeps_case(config.normalizer) else tokenizer
        return cls(config, tokenizer, mean, std, None)

    def weights_in(self, path: str | Path) -> tuple[Path, bool]:
        """The weights of this recogniser in a model directory.

        Returns:
            Their file, and whether it is known to be as it was written.

        Raises:
            UserError: it is damaged, or holds too little for this configuration.
        """
        weights = files.place(path) / WEIGHTS
        return weights, check_weights(weights, *self.config.least_size(self.tokenizer.vocab_size))

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
        folder_sums.begin(path)
        files.write_json(path / CONFIG, self.config.to_json())
        files.write_bytes(path / TOKENIZER, self.tokenizer.proto)
        stats = {"mean": self.mean.tolist(), "std": self.std.tolist()}
        files.write_json(path / STATS, stats)
        save_weights(self.model, path / WEIGHTS)
        folder_sums.write(path, (CONFIG, TOKENIZER, STATS, WEIGHTS))


def weights_checksum(path: str | Path) -> str:
    """SHA-256 of the weights file of a model directory: tells one model from another.

    Raises:
        UserError: no such model directory, or one that lacks a file.
    """
    path = files.place(path)
    _check_complete(path)
    return files.sha256(path / WEIGHTS)


def _check_complete(path: Path) -> None:
    if not path.is_dir():
        raise UserError(f"{path}: no such model directory")
    for name in (CONFIG, TOKENIZER, STATS, WEIGHTS):
        if not (path / name).is_file():
            raise UserError(f"{path}: no {name}: not a complete model directory, train again")


def _moments(path: Path, mel_bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation in `stats.json`. Raises `UserError` if they do not fit."""
    content = files.read_json(path)
    try:
        return from_dict(SavedMoments, content, "damaged").arrays(mel_bins, "damaged")
    except UserError as error:
        raise UserError(f"{path}: {error}: copy it again, or train again") from None
