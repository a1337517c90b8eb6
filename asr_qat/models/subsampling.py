"""From feature frames to a quarter of them: two convolutions of stride 2, and a projection.

Encoded frame k reads the feature frames 4k - 3 to 4k + 3: one frame of padding on either side,
whatever the length, so that an utterance is encoded the same alone, padded in a batch, and in
chunks of 4 feature frames.
"""

from typing import Protocol

from tensorflow import keras

from asr_qat.layers.dropout import Dropout
from asr_qat.layers.masking import FrameMask, ZeroPadding
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.layer_source import LayerSource, new_layer
from asr_qat.quantize.dense import Dense


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
    """

    def __init__(self, lengths):
        self._lengths = lengths

    def mask(self, x, halvings: int):
        """As in `Edges`."""
        name = ("feature_mask", "subsampling_frame_mask", "frame_mask")[halvings]
        return FrameMask(halvings, name=name)([x, self._lengths])

    def pad(self, x, halvings: int):
        """As in `Edges`."""
        return keras.layers.ZeroPadding2D(1, name=f"subsampling_pad_{halvings}")(x)


def subsample(features, edges: Edges, config: EncoderConfig, layer: LayerSource = new_layer):
    """Two convolutions of stride 2, the second one separable, then a projection.

    Args:
        features: `[batch, time, mel_bins]`.
        edges: the frames beside these, and which of these are valid.
        config: widths.
        layer: gives the layers.

    Returns:
        `[batch, ceil(ceil(time / 2) / 2), dim]`.
    """
    x = layer(ZeroPadding, name="subsampling_mask_0")([features, edges.mask(features, 0)])
    x = layer(keras.layers.Reshape, (-1, features.shape[-1], 1), name="subsampling_image")(x)
    x = edges.pad(x, 0)
    x = layer(
        keras.layers.Conv2D,
        config.subsampling,
        3,
        strides=2,
        activation="relu",
        name="subsampling_conv",
    )(x)
    x = layer(ZeroPadding, name="subsampling_mask_1")([x, edges.mask(x, 1)])
    x = edges.pad(x, 1)
    # No bias: the next layer's expresses it, and a converter would merge it into that one,
    # which would then quantize another input than in training.
    x = layer(
        keras.layers.DepthwiseConv2D, 3, strides=2, use_bias=False, name="subsampling_depthwise"
    )(x)
    x = layer(Dense, config.subsampling, activation="relu", name="subsampling_pointwise")(x)
    width = x.shape[2] * config.subsampling
    x = layer(keras.layers.Reshape, (-1, width), name="subsampling_flatten")(x)
    x = layer(Dense, config.dim, name="subsampling_project")(x)
    return layer(Dropout, config.dropout, name="subsampling_dropout")(x)
