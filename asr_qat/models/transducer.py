"""A Conformer encoder with a prediction network and a joint network: a transducer."""

import dataclasses
from collections.abc import Sequence

from tensorflow import keras

from asr_qat.layers.joint import Joint
from asr_qat.layers.label_context import LabelsBefore, ZeroState
from asr_qat.losses.ctc import CTCLoss
from asr_qat.losses.tdt import TDTLoss
from asr_qat.losses.transducer import TransducerLoss
from asr_qat.models.conformer import encode, encoder_inputs
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.keras_decoder import TransducerDecoder
from asr_qat.models.kind import ModelKind
from asr_qat.models.layer_names import CTC_HEAD, FIRST, JOINT_ENCODER, JOINT_OUTPUT, Pass
from asr_qat.models.prediction import TransducerConfig, predict, prediction_layers, states
from asr_qat.models.signatures import encode_signatures, search_signatures
from asr_qat.models.transducer_functions import TransducerFunctions
from asr_qat.quantize.dense import Dense


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
        [batch, labels]]` to the log-probabilities of blank, next label and durations `[batch,
        frames, 1 + labels, 2 + durations]`, see `encode`; with a CTC head, a list of these and
        the head's logits `[batch, frames, vocab_size + 1]`.
    """
    features, lengths = encoder_inputs(mel_bins)
    labels = keras.Input((None,), dtype="int32", name="labels")
    encoded = encode(features, lengths, encoder)
    frames = Dense(config.joint, name=JOINT_ENCODER[FIRST])(encoded)
    predicted = predict_all(labels, config, vocab_size)
    transitions = joint_layer(config, vocab_size)([frames, predicted, labels])
    outputs = [transitions]
    if config.ctc_weight:
        outputs.append(Dense(vocab_size + 1, name=CTC_HEAD[FIRST])(encoded))
    return keras.Model([features, lengths, labels], outputs, name="conformer_transducer")


def joint_layer(config: TransducerConfig, vocab_size: int) -> Joint:
    """A new joint network: labels, the blank, durations."""
    return Joint(
        vocab_size + 1 + len(config.durations),
        config.frames_at_once,
        config.activation,
        config.durations,
        name=JOINT_OUTPUT,
    )


def predict_all(labels, config: TransducerConfig, vocab_size: int):
    """A new prediction network over whole transcripts.

    Args:
        labels: int32 `[batch, labels]`.
        config: its shape.
        vocab_size: number of labels; the blank after them stands before the first one.

    Returns:
        `[batch, 1 + labels, joint]`.
    """
    before = LabelsBefore(vocab_size, name="prediction_labels")(labels)
    layers = prediction_layers(config, vocab_size)
    start = [ZeroState(units, name=f"{name}_start")(labels) for name, units in states(layers)]
    predicted, _ = predict(before, start, layers)
    return predicted


class TransducerKind(ModelKind):
    """What transducers of whole utterances and live ones have in common."""

    networks: TransducerConfig

    @property
    def training_only(self) -> frozenset[str]:
        """As in `ModelKind`: the CTC heads."""
        return frozenset(CTC_HEAD.values())

    @property
    def has_ctc_logits(self) -> bool:
        """As in `ModelKind`."""
        return self.networks.ctc_weight > 0


@dataclasses.dataclass(frozen=True)
class Transducer(TransducerKind):
    """A transducer of whole utterances."""

    title = "transducer"

    encoder: EncoderConfig
    networks: TransducerConfig
    mel_bins: int

    def build(self, vocab_size: int) -> keras.Model:
        """As in `ModelKind`."""
        return build_transducer(self.encoder, self.networks, vocab_size, self.mel_bins)

    def losses(self):
        """As in `ModelKind`."""
        networks, halvings = self.networks, self.encoder.halvings
        loss = (
            TDTLoss(networks.durations, networks.sigma, networks.omega, halvings)
            if networks.durations
            else TransducerLoss(halvings)
        )
        weight = networks.ctc_weight
        return [(loss, 1.0), *([(CTCLoss(halvings), weight)] if weight else [])]

    def decoder(self, model: keras.Model, pass_name: Pass | None = None) -> TransducerDecoder:
        """As in `ModelKind`."""
        self._refuse_pass(pass_name)
        return TransducerDecoder(model)

    def signatures(self, model: keras.Model, sizes: Sequence[int]):
        """As in `ModelKind`."""
        functions = TransducerFunctions(model)
        encode = encode_signatures(functions.encode, sizes, "encoded")
        return {**encode, **search_signatures(functions)}
