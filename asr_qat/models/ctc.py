"""A Conformer encoder with a CTC head."""

import dataclasses
from collections.abc import Sequence

from tensorflow import keras

from asr_qat.losses.ctc import CTCLoss
from asr_qat.models.conformer import encode, encoder_inputs
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.keras_decoder import CTCDecoder
from asr_qat.models.kind import ModelKind
from asr_qat.models.layer_names import CTC_HEAD, FIRST, Pass
from asr_qat.models.signatures import encode_signatures
from asr_qat.quantize.dense import Dense


def build_ctc(config: EncoderConfig, vocab_size: int, mel_bins: int = 80) -> keras.Model:
    """The Functional model: features and lengths in, logits out.

    Args:
        config: the encoder.
        vocab_size: number of tokens; the blank is the class after them.
        mel_bins: features per frame.

    Returns:
        A model from `[features [batch, time, mel_bins], lengths int32 [batch]]` to logits
        `[batch, frames, vocab_size + 1]`, see `encode`.
    """
    features, lengths = encoder_inputs(mel_bins)
    x = encode(features, lengths, config)
    logits = Dense(vocab_size + 1, name=CTC_HEAD[FIRST])(x)
    return keras.Model([features, lengths], logits, name="conformer_ctc")


@dataclasses.dataclass(frozen=True)
class CTC(ModelKind):
    """A CTC model of whole utterances."""

    title = "CTC model"
    reads_labels = False

    encoder: EncoderConfig
    mel_bins: int

    def build(self, vocab_size: int) -> keras.Model:
        """As in `ModelKind`."""
        return build_ctc(self.encoder, vocab_size, self.mel_bins)

    def losses(self):
        """As in `ModelKind`."""
        return [(CTCLoss(self.encoder.halvings), 1.0)]

    @property
    def has_ctc_logits(self) -> bool:
        """As in `ModelKind`."""
        return True

    def decoder(self, model: keras.Model, pass_name: Pass | None = None) -> CTCDecoder:
        """As in `ModelKind`."""
        self._refuse_pass(pass_name)
        return CTCDecoder(model)

    def signatures(self, model: keras.Model, sizes: Sequence[int]):
        """As in `ModelKind`."""
        return encode_signatures(model, sizes, "logits")
