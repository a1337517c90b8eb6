"""The modules of a Conformer block (Gulati et al., 2020), for whole utterances and for streams.

What differs between the two is in the block's `Surroundings`: where it hears other frames than
its own.
"""

import dataclasses
from typing import Protocol

from tensorflow import keras

from asr_qat.layers.dropout import Dropout
from asr_qat.layers.gated_linear_unit import GatedLinearUnit
from asr_qat.layers.layer_norm import LayerNormalization
from asr_qat.layers.masking import ZeroPadding
from asr_qat.layers.relative_attention import AttentionContext, RelativeAttention
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.layer_source import LayerSource, new_layer
from asr_qat.quantize.dense import Dense


class Surroundings(Protocol):
    """Frames beside its own that a block hears."""

    def delayed(self, x, name: str):
        """The frames that come out of the block, of `x`, those that go into it."""

    def attend(self, query, key, value, config: EncoderConfig, name: str):
        """Attention of the frames that come out to all frames within the context."""

    def convolve(self, x, config: EncoderConfig, name: str):
        """Depthwise convolution over the frames that come out, padding set to zero."""


@dataclasses.dataclass(frozen=True)
class Utterance:
    """The `Surroundings` of whole utterances.

    Attributes:
        mask: `[batch, time]`, 1 for a valid frame.
        positions: from `RelativePositions`.
        context: frames that a frame attends to, see `RelativeAttention`.
        causal: the convolution ends at its frame; else the frame is in the middle.
    """

    mask: object
    positions: object
    context: AttentionContext = None
    causal: bool = False

    def delayed(self, x, name: str):
        """The same frames: nothing waits."""
        return x

    def attend(self, query, key, value, config: EncoderConfig, name: str):
        """As in `Surroundings`."""
        position = Dense(config.dim, use_bias=False, name=f"{name}_position")(self.positions)
        return RelativeAttention(config.heads, self.context, config.dropout, name=name)(
            [query, key, value, position, self.mask]
        )

    def convolve(self, x, config: EncoderConfig, name: str):
        """As in `Surroundings`."""
        x = ZeroPadding(name=f"{name}_mask")([x, self.mask])
        padding = "same"
        if self.causal:
            x = keras.layers.ZeroPadding1D((config.kernel - 1, 0), name=f"{name}_pad")(x)
            padding = "valid"
        return keras.layers.DepthwiseConv1D(
            config.kernel, padding=padding, name=f"{name}_depthwise"
        )(x)


def conformer_block(
    x,
    around: Surroundings,
    config: EncoderConfig,
    name: str,
    last: bool,
    layer: LayerSource = new_layer,
):
    """Half feed-forward, attention, convolution, half feed-forward, normalisation.

    Args:
        x: `[batch, time, dim]`.
        around: the frames beside these.
        config: widths.
        name: of the block, which the names of its layers begin with.
        last: whether Dense layers and a residual sum without gain are all that read the output.
        layer: gives the layers.

    Returns:
        `[batch, time, dim]`.
    """
    x = _feed_forward(x, config, f"{name}_ffn1", layer)
    x = _attention(x, around, config, f"{name}_attention", layer)
    x = _convolution(x, around, config, f"{name}_conv", layer)
    x = _feed_forward(x, config, f"{name}_ffn2", layer)
    return _norm(config, name, layer, affine=not last)(x)


def _residual(x, update, config: EncoderConfig, name: str, layer: LayerSource, half: bool = False):
    update = layer(Dropout, config.dropout, name=f"{name}_dropout")(update)
    if half:
        update = layer(keras.layers.Rescaling, 0.5, name=f"{name}_half")(update)
    return layer(keras.layers.Add, name=f"{name}_add")([x, update])


def _norm(config: EncoderConfig, name: str, layer: LayerSource, affine: bool = False):
    return layer(
        LayerNormalization, affine=affine, epsilon=config.norm_epsilon, name=f"{name}_norm"
    )


def _feed_forward(x, config: EncoderConfig, name: str, layer: LayerSource):
    y = _norm(config, name, layer)(x)
    y = layer(Dense, config.feed_forward, activation="swish", name=f"{name}_expand")(y)
    y = layer(Dropout, config.dropout, name=f"{name}_hidden_dropout")(y)
    y = layer(Dense, config.dim, name=f"{name}_project")(y)
    return _residual(x, y, config, name, layer, half=True)


def _attention(x, around: Surroundings, config: EncoderConfig, name: str, layer: LayerSource):
    norm = _norm(config, name, layer)
    y = norm(x)
    own = around.delayed(x, name)
    query = layer(Dense, config.dim, name=f"{name}_query")(y if own is x else norm(own))
    key = layer(Dense, config.dim, name=f"{name}_key")(y)
    value = layer(Dense, config.dim, name=f"{name}_value")(y)
    y = around.attend(query, key, value, config, name)
    y = layer(Dense, config.dim, name=f"{name}_output")(y)
    return _residual(own, y, config, name, layer)


def _convolution(x, around: Surroundings, config: EncoderConfig, name: str, layer: LayerSource):
    y = _norm(config, name, layer)(x)
    y = layer(Dense, 2 * config.dim, name=f"{name}_expand")(y)
    y = layer(GatedLinearUnit, name=f"{name}_gate")(y)
    y = around.convolve(y, config, name)
    if config.conv_norm == "layer":
        y = _norm(config, f"{name}_inner", layer, affine=True)(y)
    y = layer(keras.layers.Activation, "swish", name=f"{name}_activation")(y)
    y = layer(Dense, config.dim, name=f"{name}_project")(y)
    return _residual(x, y, config, name, layer)
