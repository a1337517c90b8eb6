"""The Conformer encoder (Gulati et al., 2020) as a Functional Keras graph.

Every product with weights is a layer of its own with a stable name, e.g.
`block_03_attention_query`: precisions, inspection and reports all use that name.
"""

from tensorflow import keras

from asr_qat.audio.front_end import FrontEndConfig
from asr_qat.layers.relative_attention import RelativePositions
from asr_qat.models.blocks import Utterance, conformer_block
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.layer_names import block_name, cascade_name
from asr_qat.models.streaming_config import StreamingConfig
from asr_qat.models.subsampling import FRAME_MASK, WholeUtterances, subsample


def encoder_inputs(mel_bins: int = FrontEndConfig.mel_bins) -> tuple:
    """Symbolic inputs: features `[batch, time, mel_bins]` and their lengths int32 `[batch]`."""
    features = keras.Input((None, mel_bins), name="features")
    lengths = keras.Input((), dtype="int32", name="lengths")
    return features, lengths


def encode(features, lengths, config: EncoderConfig):
    """Normalised log-mel features to encodings at a fraction of the frame rate.

    Args:
        features: `[batch, time, mel_bins]`; frames beyond the length are ignored.
        lengths: int32 `[batch]`, at least 1.
        config: the encoder's shape.

    Returns:
        `[batch, frames, dim]`, `frames` being `subsampled_length(time, config.halvings)`; those
        beyond an utterance's own length hold no meaning.
    """
    x, mask, positions = _begin(features, lengths, config)
    around = Utterance(mask, positions, config.attention_context)
    for index in range(config.blocks):
        last = index == config.blocks - 1
        x = conformer_block(x, around, config, block_name(index), last)
    return x


def encode_live(features, lengths, config: EncoderConfig, streaming: StreamingConfig) -> tuple:
    """As `encode`, by the causal encoder, and by the cascade on top of it: two encodings."""
    x, mask, positions = _begin(features, lengths, config)
    for index in range(config.blocks):
        around = Utterance(mask, positions, streaming.causal_context(index), causal=True)
        last = index == config.blocks - 1
        x = conformer_block(x, around, config, block_name(index), last)
    causal = x
    around = Utterance(mask, positions, streaming.cascade_context, causal=True)
    for index in range(streaming.cascade_blocks):
        last = index == streaming.cascade_blocks - 1
        x = conformer_block(x, around, config, cascade_name(index), last)
    return causal, x


def halvings_of(model: keras.Model) -> int:
    """How often the encoder of a model, quantized or not, halves the time axis of the features."""
    return model.get_layer(FRAME_MASK).halvings


def _begin(features, lengths, config: EncoderConfig) -> tuple:
    """The first block's input, the mask of its frames, and their relative positions."""
    edges = WholeUtterances(lengths, config.halvings)
    x = subsample(features, edges, config)
    mask = edges.mask(x, config.halvings)
    return x, mask, RelativePositions(name="relative_positions")([x, lengths])
