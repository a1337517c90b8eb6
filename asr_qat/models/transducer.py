"""A Conformer encoder with a prediction network and a joint network: a transducer."""

import dataclasses
from typing import Literal

from tensorflow import keras

from asr_qat.errors import require
from asr_qat.layers.dense import Dense
from asr_qat.layers.dropout import Dropout
from asr_qat.layers.embedding import Embedding
from asr_qat.layers.joint import Joint
from asr_qat.layers.label_context import LabelsBefore, LastLabels, ZeroState
from asr_qat.layers.lstm import LSTM
from asr_qat.models.conformer import EncoderConfig, encode, encoder_inputs


@dataclasses.dataclass(frozen=True)
class TransducerConfig:
    """Shape of the prediction and joint networks.

    Attributes:
        prediction: `lstm` sees all labels before (Graves, 2012), `ngram` the last `context`
            ones (Ghodsi et al., 2020, "stateless").
        embedding: channels of a label.
        units: channels of the LSTM, or of the n-gram's hidden layer.
        joint: channels in which encoder and prediction network meet.
        context: labels that the n-gram sees.
        dropout: rate in the prediction network, in training.
        ctc_weight: of the CTC loss of an auxiliary head on the encoder, beside the
            transducer's with weight 1; 0 for no such head. The device does without it.
        frames_at_once: frames whose logits are in memory at once in training, or null for all.
    """

    prediction: Literal["lstm", "ngram"] = "lstm"
    embedding: int = 128
    units: int = 128
    joint: int = 128
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
        require(self.ctc_weight >= 0, f"ctc_weight: {self.ctc_weight} is less than 0")
        frames = self.frames_at_once
        require(frames is None or frames >= 1, f"frames_at_once: {frames} is less than 1")


def build_transducer(
    encoder: EncoderConfig, config: TransducerConfig, vocab_size: int, mel_bins: int = 80
) -> keras.Model:
    """The Functional model that is trained: audio and transcript in, transitions out.

    Args:
        encoder: the encoder.
        config: the prediction and joint networks.
        vocab_size: number of tokens; the blank is the class after them.
        mel_bins: features per frame.

    Returns:
        A model from `[features [batch, time, mel_bins], lengths int32 [batch], labels int32
        [batch, labels]]` to the log-probabilities of blank and next label `[batch,
        ceil(ceil(time / 2) / 2), 1 + labels, 2]`; with a CTC head, a list of these and the
        head's logits `[batch, ceil(ceil(time / 2) / 2), vocab_size + 1]`.
    """
    features, lengths = encoder_inputs(mel_bins)
    labels = keras.Input((None,), dtype="int32", name="labels")
    encoded = encode(features, lengths, encoder)
    frames = Dense(config.joint, name="joint_encoder")(encoded)
    predicted = _predict(labels, config, vocab_size)
    transitions = Joint(vocab_size + 1, config.frames_at_once, name="joint_output")(
        [frames, predicted, labels]
    )
    outputs = [transitions]
    if config.ctc_weight:
        outputs.append(Dense(vocab_size + 1, name="ctc_output")(encoded))
    return keras.Model([features, lengths, labels], outputs, name="conformer_transducer")


def _predict(labels, config: TransducerConfig, vocab_size: int):
    """The prediction network's view after each label, `[batch, 1 + labels, joint]`."""
    before = LabelsBefore(vocab_size, name="prediction_labels")(labels)
    x = Embedding(vocab_size, config.embedding, name="prediction_embedding")(before)
    x = Dropout(config.dropout, name="prediction_embedding_dropout")(x)
    if config.prediction == "lstm":
        output = ZeroState(config.units, name="prediction_output_state")(labels)
        cell = ZeroState(config.units, name="prediction_cell_state")(labels)
        gates = Dense(4 * config.units, name="prediction_lstm_input")(x)
        x, *_ = LSTM(config.units, name="prediction_lstm")([gates, output, cell])
    else:
        width = (config.context - 1) * config.embedding
        state = ZeroState(width, name="prediction_label_state")(labels)
        x, _ = LastLabels(config.context, name="prediction_last_labels")([x, state])
        x = Dense(config.units, activation="tanh", name="prediction_ngram")(x)
    x = Dropout(config.dropout, name="prediction_dropout")(x)
    return Dense(config.joint, name="joint_prediction")(x)


def is_transducer(model: keras.Model) -> bool:
    """Whether a model of this package, quantized or not, is a transducer."""
    return any(layer.name == "joint_output" for layer in model.layers)
