"""The prediction network of a transducer: over whole transcripts and label by label."""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Literal

from tensorflow import keras

from asr_qat.bounds import require_within
from asr_qat.compat import unwrapped
from asr_qat.errors import require
from asr_qat.layers.dropout import Dropout
from asr_qat.layers.joint import Activation
from asr_qat.layers.label_context import LastLabels
from asr_qat.models.layer_names import JOINT_PREDICTION, lstm_name
from asr_qat.quantize.dense import Dense
from asr_qat.quantize.embedding import Embedding
from asr_qat.quantize.lstm import LSTM

_NGRAM = "prediction_last_labels"
MOST_WIDE = 1 << 15  # channels, and labels that an n-gram sees
MOST_LAYERS = 64
MOST_FRAMES = 1 << 20  # at once, and of a duration


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
        layers: LSTMs on top of each other.
        activation: of the joint network.
        durations: frames that a token may last, ascending, `[0, 1, 2, 3, 4]` for instance, of a
            token-and-duration transducer (TDT; Xu et al., 2023); empty for a plain transducer.
        sigma: what a TDT's loss takes from the log-probability of each token, so that long
            durations are preferred.
        omega: share of the plain transducer loss, which leaves the durations aside, in a TDT's.
    """

    embedding: int
    units: int
    joint: int
    prediction: Literal["lstm", "ngram"] = "lstm"
    context: int = 2
    dropout: float = 0.1
    ctc_weight: float = 0.0
    frames_at_once: int | None = None
    layers: int = 1
    activation: Activation = "tanh"
    durations: tuple[int, ...] = ()
    sigma: float = 0.02
    omega: float = 0.1

    def __post_init__(self) -> None:
        """Raise `UserError` for a shape that cannot be built."""
        for name in ("embedding", "units", "joint"):  # two 4-bit weights share a byte
            value = getattr(self, name)
            require(value >= 2 and value % 2 == 0, f"{name}: {value} is not even and above 0")
            require_within(name, value, 2, MOST_WIDE)
        require_within("context", self.context, 2, MOST_WIDE)
        require(0 <= self.dropout < 1, f"dropout: {self.dropout} is not from 0 to below 1")
        weight = self.ctc_weight
        require(0 <= weight < math.inf, f"ctc_weight: {weight} is not a number from 0 up")
        frames = self.frames_at_once
        if frames is not None:
            require_within("frames_at_once", frames, 1, MOST_FRAMES)
        require_within("layers", self.layers, 1, MOST_LAYERS)
        require(
            self.layers == 1 or self.prediction == "lstm",
            f"layers: {self.layers}: an ngram has one layer: omit it, or set `prediction: lstm`",
        )
        # With 0 and 1 every transcript has an alignment with every number of frames.
        durations = self.durations
        require(
            not durations or (durations[:2] == (0, 1) and sorted(set(durations)) == [*durations]),
            f"durations: {list(durations)} are not whole numbers ascending from 0, 1",
        )
        require(0 <= self.sigma < math.inf, f"sigma: {self.sigma} is not a number from 0 up")
        require(0 <= self.omega <= 1, f"omega: {self.omega} is not from 0 to 1")

    @property
    def weights_of_matrices(self) -> int:
        """Weights of the matrices of the prediction network."""
        if self.prediction == "ngram":
            return self.context * self.embedding * self.units + self.units * self.joint
        return self.layers * 4 * self.units**2 + self.units * self.joint


def prediction_layers(config: TransducerConfig, vocab_size: int) -> dict[str, keras.layers.Layer]:
    """New layers of a prediction network, by name."""
    layers: list[keras.layers.Layer] = [
        Embedding(vocab_size, config.embedding, name="prediction_embedding"),
        Dropout(config.dropout, name="prediction_embedding_dropout"),
        Dropout(config.dropout, name="prediction_dropout"),
        Dense(config.joint, name=JOINT_PREDICTION),
    ]
    if config.prediction == "lstm":
        for index in range(config.layers):
            name = lstm_name(index)
            layers.append(Dense(4 * config.units, name=f"{name}_input"))
            layers.append(LSTM(config.units, name=name))
            if index:
                layers.append(Dropout(config.dropout, name=f"{name}_input_dropout"))
    else:
        layers.append(LastLabels(config.context, config.embedding, name=_NGRAM))
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
    if _NGRAM in layers:
        x, *after = layers[_NGRAM]([x, *state])
        x = layers["prediction_ngram"](x)
    else:
        after = []
        for index, name in enumerate(_recurrent(layers)):
            if index:
                x = layers[f"{name}_input_dropout"](x)
            own = state[2 * index : 2 * index + 2]
            x, *new = layers[name]([layers[f"{name}_input"](x), *own])
            after += new
    return layers[JOINT_PREDICTION](layers["prediction_dropout"](x)), after


def states(layers: Mapping[str, keras.layers.Layer]) -> list[tuple[str, int]]:
    """Name and channels of each state; it is all zeros before the first label."""
    names = _recurrent(layers)
    if not names:
        raise ValueError("no prediction network among these layers")
    return [
        (f"{name}_{part}", units)
        for name in names
        for part, units in unwrapped(layers[name]).states()
    ]


def _recurrent(layers: Mapping[str, keras.layers.Layer]) -> list[str]:
    """Names of the layers with a state, in the order in which they run."""
    if _NGRAM in layers:
        return [_NGRAM]
    lstms = map(lstm_name, itertools.count())
    return list(itertools.takewhile(layers.__contains__, lstms))
