"""The prediction network of a transducer: over whole transcripts and label by label."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Literal

from tensorflow import keras

from asr_qat.errors import require
from asr_qat.layers.dropout import Dropout
from asr_qat.layers.label_context import LastLabels
from asr_qat.quantize.dense import Dense
from asr_qat.quantize.embedding import Embedding
from asr_qat.quantize.lstm import LSTM


@dataclasses.dataclass(frozen=True)
class TransducerConfig:
    """Shape of the prediction and joint networks.

    Attributes:
        embedding: channels of a label.
        units: channels of the LSTM, or of the n-gram's hidden layer.
        joint: channels in which encoder and prediction network meet.
        prediction: `lstm` sees all labels before (Graves, 2012), `ngram` the last `context`
            ones (Ghodsi et al., 2020, "stateless").
        context: labels that the n-gram sees.
        dropout: rate in the prediction network, in training.
        ctc_weight: weight of the CTC loss of an auxiliary head on the encoder, beside the
            transducer's with weight 1; 0 for no such head. No file has the head.
        frames_at_once: frames whose logits are in memory at once in training, or null for all.
    """

    embedding: int
    units: int
    joint: int
    prediction: Literal["lstm", "ngram"] = "lstm"
    context: int = 2
    dropout: float = 0.1
    ctc_weight: float = 0.0
    frames_at_once: int | None = None

    def __post_init__(self) -> None:
        """Raise `UserError` for a shape that cannot be built."""
        for name in ("embedding", "units", "joint"):  # two 4-bit weights share a byte
            value = getattr(self, name)
            require(value >= 2 and value % 2 == 0, f"{name}: {value} is not even and above 0")
        require(self.context >= 2, f"context: {self.context} is less than 2")
        require(0 <= self.dropout < 1, f"dropout: {self.dropout} is not from 0 to below 1")
        weight = self.ctc_weight
        require(0 <= weight < math.inf, f"ctc_weight: {weight} is not a number from 0 up")
        frames = self.frames_at_once
        require(frames is None or frames >= 1, f"frames_at_once: {frames} is less than 1")


def prediction_layers(config: TransducerConfig, vocab_size: int) -> dict[str, keras.layers.Layer]:
    """New layers of a prediction network, by name."""
    layers: list[keras.layers.Layer] = [
        Embedding(vocab_size, config.embedding, name="prediction_embedding"),
        Dropout(config.dropout, name="prediction_embedding_dropout"),
        Dropout(config.dropout, name="prediction_dropout"),
        Dense(config.joint, name="joint_prediction"),
    ]
    if config.prediction == "lstm":
        layers.append(Dense(4 * config.units, name="prediction_lstm_input"))
        layers.append(LSTM(config.units, name="prediction_lstm"))
    else:
        layers.append(LastLabels(config.context, config.embedding, name="prediction_last_labels"))
        layers.append(Dense(config.units, activation="tanh", name="prediction_ngram"))
    return {layer.name: layer for layer in layers}


def predict(before, state: Sequence, layers: Mapping[str, keras.layers.Layer]) -> tuple:
    """The network's view after each label, in the channels of the joint network.

    Args:
        before: int32 `[batch, steps]`, labels; the blank stands before the first one.
        state: float32 `[batch, units]` each, as many and as wide as `states` says.
        layers: from `prediction_layers`, or those of a model, quantized or not.

    Returns:
        `[batch, steps, joint]`, and the state after the last label.
    """
    x = layers["prediction_embedding_dropout"](layers["prediction_embedding"](before))
    if "prediction_lstm" in layers:
        x, *state = layers["prediction_lstm"]([layers["prediction_lstm_input"](x), *state])
    else:
        x, *state = layers["prediction_last_labels"]([x, *state])
        x = layers["prediction_ngram"](x)
    return layers["joint_prediction"](layers["prediction_dropout"](x)), state


def states(layers: Mapping[str, keras.layers.Layer]) -> list[tuple[str, int]]:
    """Name and channels of each state; it is all zeros before the first label."""
    for name in ("prediction_lstm", "prediction_last_labels"):
        if name in layers:
            layer = getattr(layers[name], "layer", layers[name])  # inside the quantization wrapper
            return [(f"{name}_{part}", units) for part, units in layer.states()]
    raise ValueError("no prediction network among these layers")
