"""A transducer with two passes: a causal encoder for the first, a cascade for the second.

Narayanan et al. (2021), "Cascaded encoders for unifying streaming and non-streaming ASR": both
encoders share the prediction and the joint network.
"""

import dataclasses
from collections.abc import Sequence

from tensorflow import keras

from asr_qat.audio.front_end import FrontEndConfig
from asr_qat.decoding.live_format import LiveFormat
from asr_qat.layers.both_passes import OnePass, StackPasses, UnstackPasses
from asr_qat.losses.ctc import CTCLoss
from asr_qat.losses.transducer import TransducerLoss
from asr_qat.models.conformer import encode_live, encoder_inputs
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.keras_decoder import TransducerDecoder
from asr_qat.models.layer_names import (
    CTC_HEAD,
    JOINT_ENCODER,
    PASSES,
    SECOND,
    Pass,
)
from asr_qat.models.live_signatures import format_of, streaming_signatures
from asr_qat.models.prediction import TransducerConfig
from asr_qat.models.signatures import search_signatures
from asr_qat.models.streaming_config import StreamingConfig
from asr_qat.models.streaming_functions import StreamingFunctions
from asr_qat.models.transducer import TransducerKind, joint_layer, predict_all
from asr_qat.models.transducer_functions import TransducerFunctions
from asr_qat.quantize.dense import Dense


def build_live_transducer(
    encoder: EncoderConfig,
    streaming: StreamingConfig,
    config: TransducerConfig,
    vocab_size: int,
    mel_bins: int = 80,
) -> keras.Model:
    """The Functional model that is trained: audio and transcript in, transitions out.

    Args:
        encoder: the causal encoder, and the widths of the cascade.
        streaming: their contexts.
        config: the prediction and joint networks.
        vocab_size: number of tokens; the blank is the class after them.
        mel_bins: features per frame.

    Returns:
        A model from the inputs of `build_transducer` to a list: transitions of the first pass
        and of the second, or with `streaming.sampling` of one of them; then, with CTC heads,
        the logits of the causal encoder's and of the cascade's.
    """
    features, lengths = encoder_inputs(mel_bins)
    labels = keras.Input((None,), dtype="int32", name="labels")
    encodings = dict(zip(PASSES, encode_live(features, lengths, encoder, streaming), strict=True))
    frames = [
        Dense(config.joint, name=JOINT_ENCODER[each])(encoded)
        for each, encoded in encodings.items()
    ]
    predicted = predict_all(labels, config, vocab_size)
    joint = joint_layer(config, vocab_size)
    if streaming.sampling:
        one = OnePass(streaming.causal_weight, name="one_pass")(frames)
        outputs = [joint([one, predicted, labels])]
    else:
        both = StackPasses(name="stack_passes")([*frames, predicted, labels])
        outputs = list(UnstackPasses(name="unstack_passes")(joint(list(both))))
    if config.ctc_weight:
        outputs += [
            Dense(vocab_size + 1, name=CTC_HEAD[each])(encoded)
            for each, encoded in encodings.items()
        ]
    return keras.Model([features, lengths, labels], outputs, name="live_transducer")


@dataclasses.dataclass(frozen=True)
class LiveTransducer(TransducerKind):
    """A transducer with two passes, for audio in chunks."""

    title = "live model"
    passes = PASSES
    streams = True
    ctc_pass = SECOND

    encoder: EncoderConfig
    networks: TransducerConfig
    streaming: StreamingConfig
    front_end: FrontEndConfig

    def build(self, vocab_size: int) -> keras.Model:
        """As in `ModelKind`."""
        return build_live_transducer(
            self.encoder, self.streaming, self.networks, vocab_size, self.front_end.mel_bins
        )

    def losses(self):
        """As in `ModelKind`: transducer losses of both passes, or of one at random, then CTC."""
        first = self.streaming.causal_weight
        shares, weight = [first, 1.0 - first], self.networks.ctc_weight
        transducer = [1.0] if self.streaming.sampling else shares
        ctc = [(CTCLoss(), weight * share) for share in shares] if weight else []
        return [(TransducerLoss(), share) for share in transducer] + ctc

    def decoder(self, model: keras.Model, pass_name: Pass | None = None) -> TransducerDecoder:
        """As in `ModelKind`."""
        return TransducerDecoder(model, pass_name or SECOND)

    def signatures(self, model: keras.Model, sizes: Sequence[int]):
        """As in `ModelKind`; `sizes` are encoded frames of a step."""
        streaming = streaming_signatures(self._functions(model), sizes)
        return {**streaming, **search_signatures(TransducerFunctions(model))}

    def live_format(self, model: keras.Model, sizes: Sequence[int]) -> LiveFormat:
        """As in `ModelKind`."""
        return format_of(self._functions(model), self.streaming, self.front_end, sizes)

    def _functions(self, model: keras.Model) -> StreamingFunctions:
        return StreamingFunctions(model, self.encoder, self.streaming)
