"""The Conformer encoder (Gulati et al., 2020) as a Functional Keras graph.

Every product with weights is a layer of its own with a stable name, e.g.
`block_03_attention_query`: precisions, inspection and reports all use that name.
"""

import dataclasses

from tensorflow import keras

from asr_qat.audio.front_end import HALVINGS, FrontEndConfig
from asr_qat.errors import require
from asr_qat.layers.dense import Dense
from asr_qat.layers.dropout import Dropout
from asr_qat.layers.gated_linear_unit import GatedLinearUnit
from asr_qat.layers.layer_norm import LayerNormalization
from asr_qat.layers.masking import FrameMask, ZeroPadding
from asr_qat.layers.relative_attention import RelativeAttention, RelativePositions


@dataclasses.dataclass(frozen=True)
class EncoderConfig:
    """Shape of the encoder.

    Attributes:
        blocks: number of Conformer blocks.
        dim: channels between the blocks.
        heads: attention heads.
        attention_context: frames (of 40 ms) on either side that a frame attends to, or null
            for the whole utterance.
        feed_forward: width of the feed-forward modules' hidden layer.
        kernel: frames seen by the depthwise convolution.
        subsampling: channels of the two subsampling convolutions.
        dropout: rate in every module, in training.
    """

    blocks: int = 6
    dim: int = 128
    heads: int = 4
    attention_context: int | None = None
    feed_forward: int = 256
    kernel: int = 15
    subsampling: int = 64
    dropout: float = 0.1

    def __post_init__(self) -> None:
        """Raise `UserError` for a shape that cannot be built."""
        for name in ("blocks", "dim", "heads", "feed_forward", "kernel", "subsampling"):
            value = getattr(self, name)
            require(value >= 1, f"{name}: {value} is less than 1")
        context = self.attention_context
        require(context is None or context >= 1, f"attention_context: {context} is less than 1")
        for name in ("dim", "feed_forward"):  # two 4-bit weights share a byte
            value = getattr(self, name)
            require(value % 2 == 0, f"{name}: {value} is not even")
        require(self.dim % self.heads == 0, f"heads: {self.heads} does not divide dim {self.dim}")
        require(0 <= self.dropout < 1, f"dropout: {self.dropout} is not from 0 to below 1")


def encoder_inputs(mel_bins: int = FrontEndConfig.mel_bins) -> tuple:
    """Symbolic inputs: features `[batch, time, mel_bins]` and their lengths int32 `[batch]`."""
    features = keras.Input((None, mel_bins), name="features")
    lengths = keras.Input((), dtype="int32", name="lengths")
    return features, lengths


def encode(features, lengths, config: EncoderConfig):
    """Normalised log-mel features to encodings at a quarter of the frame rate.

    Args:
        features: `[batch, time, mel_bins]`; frames beyond the length are ignored.
        lengths: int32 `[batch]`, at least 1.
        config: the encoder's shape.

    Returns:
        `[batch, ceil(ceil(time / 2) / 2), dim]`; frames beyond an utterance's own length
        hold no meaning.
    """
    x = _subsample(features, lengths, config)
    mask = FrameMask(HALVINGS, name="frame_mask")([x, lengths])
    positions = RelativePositions(name="relative_positions")([x, lengths])
    for index in range(config.blocks):
        last = index == config.blocks - 1
        x = _block(x, positions, mask, config, f"block_{index:02d}", last)
    return x


def _subsample(features, lengths, config: EncoderConfig):
    """Two convolutions of stride 2, the second one separable, then a projection.

    The padding is one frame on either side whatever the length, so that an utterance is
    encoded the same alone and padded in a batch.
    """
    mask = FrameMask(0, name="feature_mask")([features, lengths])
    x = ZeroPadding(name="subsampling_mask_0")([features, mask])
    x = keras.layers.Reshape((-1, features.shape[-1], 1), name="subsampling_image")(x)
    x = keras.layers.ZeroPadding2D(1, name="subsampling_pad_0")(x)
    x = keras.layers.Conv2D(
        config.subsampling, 3, strides=2, activation="relu", name="subsampling_conv"
    )(x)
    mask = FrameMask(1, name="subsampling_frame_mask")([x, lengths])
    x = ZeroPadding(name="subsampling_mask_1")([x, mask])
    x = keras.layers.ZeroPadding2D(1, name="subsampling_pad_1")(x)
    # No bias: the next layer's expresses it, and a converter would merge it into that one,
    # which would then quantize another input than in training.
    x = keras.layers.DepthwiseConv2D(3, strides=2, use_bias=False, name="subsampling_depthwise")(x)
    x = Dense(config.subsampling, activation="relu", name="subsampling_pointwise")(x)
    bands = x.shape[2]
    x = keras.layers.Reshape((-1, bands * config.subsampling), name="subsampling_flatten")(x)
    x = Dense(config.dim, name="subsampling_project")(x)
    return Dropout(config.dropout, name="subsampling_dropout")(x)


def _block(x, positions, mask, config: EncoderConfig, name: str, last: bool):
    """Half feed-forward, attention, convolution, half feed-forward, normalisation."""
    x = _feed_forward(x, config, f"{name}_ffn1")
    x = _attention(x, positions, mask, config, f"{name}_attention")
    x = _convolution(x, mask, config, f"{name}_conv")
    x = _feed_forward(x, config, f"{name}_ffn2")
    # The last one feeds the output layer alone.
    return LayerNormalization(affine=not last, name=f"{name}_norm")(x)


def _residual(x, update, config: EncoderConfig, name: str, half: bool = False):
    update = Dropout(config.dropout, name=f"{name}_dropout")(update)
    if half:
        update = keras.layers.Rescaling(0.5, name=f"{name}_half")(update)
    return keras.layers.Add(name=f"{name}_add")([x, update])


def _feed_forward(x, config: EncoderConfig, name: str):
    y = LayerNormalization(affine=False, name=f"{name}_norm")(x)
    y = Dense(config.feed_forward, activation="swish", name=f"{name}_expand")(y)
    y = Dropout(config.dropout, name=f"{name}_hidden_dropout")(y)
    y = Dense(config.dim, name=f"{name}_project")(y)
    return _residual(x, y, config, name, half=True)


def _attention(x, positions, mask, config: EncoderConfig, name: str):
    y = LayerNormalization(affine=False, name=f"{name}_norm")(x)
    query = Dense(config.dim, name=f"{name}_query")(y)
    key = Dense(config.dim, name=f"{name}_key")(y)
    value = Dense(config.dim, name=f"{name}_value")(y)
    position = Dense(config.dim, use_bias=False, name=f"{name}_position")(positions)
    y = RelativeAttention(config.heads, config.attention_context, config.dropout, name=name)(
        [query, key, value, position, mask]
    )
    y = Dense(config.dim, name=f"{name}_output")(y)
    return _residual(x, y, config, name)


def _convolution(x, mask, config: EncoderConfig, name: str):
    y = LayerNormalization(affine=False, name=f"{name}_norm")(x)
    y = Dense(2 * config.dim, name=f"{name}_expand")(y)
    y = GatedLinearUnit(name=f"{name}_gate")(y)
    y = ZeroPadding(name=f"{name}_mask")([y, mask])
    y = keras.layers.DepthwiseConv1D(config.kernel, padding="same", name=f"{name}_depthwise")(y)
    y = LayerNormalization(name=f"{name}_inner_norm")(y)
    y = keras.layers.Activation("swish", name=f"{name}_activation")(y)
    y = Dense(config.dim, name=f"{name}_project")(y)
    return _residual(x, y, config, name)
