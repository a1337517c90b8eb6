"""A Conformer encoder with a CTC head."""

from tensorflow import keras

from asr_qat.models.conformer import encode, encoder_inputs
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.quantize.dense import Dense


def build_ctc(config: EncoderConfig, vocab_size: int, mel_bins: int = 80) -> keras.Model:
    """The Functional model: features and lengths in, logits out.

    Args:
        config: the encoder.
        vocab_size: number of tokens; the blank is the class after them.
        mel_bins: features per frame.

    Returns:
        A model from `[features [batch, time, mel_bins], lengths int32 [batch]]` to logits
        `[batch, ceil(ceil(time / 2) / 2), vocab_size + 1]`.
    """
    features, lengths = encoder_inputs(mel_bins)
    x = encode(features, lengths, config)
    logits = Dense(vocab_size + 1, name="ctc_output")(x)
    return keras.Model([features, lengths], logits, name="conformer_ctc")
