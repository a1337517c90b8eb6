"""From feature frames to a quarter or an eighth of them: convolutions of stride 2, a projection.

With two of them encoded frame k reads the feature frames 4k - 3 to 4k + 3: one frame of padding
on either side, whatever the length, so that an utterance is encoded the same alone, padded in a
batch, and in chunks of 4 feature frames.
"""

from typing import Protocol

from tensorflow import keras

from asr_qat.layers.dropout import Dropout
from asr_qat.layers.masking import FrameMask, ZeroPadding
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.layer_names import subsampling_name
from asr_qat.models.layer_source import LayerSource, new_layer
from asr_qat.quantize.conv import Conv2D
from asr_qat.quantize.dense import Dense

FRAME_MASK = "frame_mask"  # layer of the mask of the encoded frames


class Edges(Protocol):
    """What lies beside the frames that are subsampled."""

    def mask(self, x, halvings: int):
        """1 for each valid frame of `x` `[batch, time, ...]`, halved so often: `[batch, time]`."""

    def pad(self, x, halvings: int):
        """`x` `[batch, time, bands, channels]` with the band and the frames beside the edges."""


class WholeUtterances:
    """The `Edges` of whole utterances: zeros.

    Args:
        lengths: int32 `[batch]`, valid feature frames.
        last: halvings of all; the mask after them is that of the encoder.
    """

    def __init__(self, lengths, last: int):
        self._lengths = lengths
        self._last = last

    def mask(self, x, halvings: int):
        """As in `Edges`."""
        name = subsampling_name("frame_mask", halvings, first=1)
        name = {0: "feature_mask", self._last: FRAME_MASK}.get(halvings, name)
        return FrameMask(halvings, name=name)([x, self._lengths])

    def pad(self, x, halvings: int):
        """As in `Edges`."""
        return keras.layers.ZeroPadding2D(1, name=f"subsampling_pad_{halvings}")(x)


def subsample(features, edges: Edges, config: EncoderConfig, layer: LayerSource = new_layer):
    """Convolutions of stride 2, all but the first one separable or none, then a projection.

    Args:
        features: `[batch, time, mel_bins]`.
        edges: the frames beside these, and which of these are valid.
        config: widths, how many convolutions and of which kind.
        layer: gives the layers.

    Returns:
        `[batch, time / factor, dim]`, rounded up at each halving.
    """
    x = layer(ZeroPadding, name="subsampling_mask_0")([features, edges.mask(features, 0)])
    x = layer(keras.layers.Reshape, (-1, features.shape[-1], 1), name="subsampling_image")(x)
    for stage in range(config.halvings):
        if stage:
            x = layer(ZeroPadding, name=f"subsampling_mask_{stage}")([x, edges.mask(x, stage)])
        x = edges.pad(x, stage)
        if stage == 0 or config.subsampling_kind == "striding":
            x = _convolution(x, stage, config, layer)
        else:
            x = _separable_convolution(x, stage, config, layer)
    width = x.shape[2] * config.subsampling
    x = layer(keras.layers.Reshape, (-1, width), name="subsampling_flatten")(x)
    x = layer(Dense, config.dim, name="subsampling_project")(x)
    return layer(Dropout, config.dropout, name="subsampling_dropout")(x)


def _convolution(x, stage: int, config: EncoderConfig, layer: LayerSource):
    # The first one reads one channel, and stays float: it has few weights and all the signal.
    return layer(
        Conv2D if stage else keras.layers.Conv2D,
        config.subsampling,
        3,
        strides=2,
        activation="relu",
        name=subsampling_name("conv", stage, first=0),
    )(x)


def _separable_convolution(x, stage: int, config: EncoderConfig, layer: LayerSource):
    # No bias: the next layer's expresses it, and a converter would merge it into that one,
    # which would then quantize another input than in training.
    x = layer(
        keras.layers.DepthwiseConv2D,
        3,
        strides=2,
        use_bias=False,
        name=subsampling_name("depthwise", stage, first=1),
    )(x)
    name = subsampling_name("pointwise", stage, first=1)
    return layer(Dense, config.subsampling, activation="relu", name=name)(x)
