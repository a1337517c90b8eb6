"""The weights of NeMo's Conformer encoder in the layers of this package.

The layers compute the same by other means, so that every product stands alone: a batch
normalisation becomes part of the depthwise convolution before it, a LayerNorm's gain and offset
part of the Dense layers that read it, and likewise the scale of the subsampled frames and the bias
of a depthwise convolution that a pointwise one follows.
"""

import dataclasses
import math
from typing import Any

import numpy as np
from tensorflow import keras

from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.layer_names import block_name, subsampling_name
from asr_qat.pretrained.network import EncoderLayout
from asr_qat.pretrained.tensors import TensorTaker

BATCH_NORM_EPSILON = 1e-5  # PyTorch's
KERNEL = 3  # of the subsampling convolutions


@dataclasses.dataclass(frozen=True)
class Norm:
    """Gain and offset of a norm, float64 `[channels]`."""

    gain: np.ndarray
    offset: np.ndarray

    @classmethod
    def take(cls, tensors: TensorTaker, name: str, channels: int) -> "Norm":
        """The tensors `NAME.weight` and `NAME.bias`."""
        return cls(tensors.take(f"{name}.weight", channels), tensors.take(f"{name}.bias", channels))


def set_dense(
    model: keras.Model, name: str, kernel: np.ndarray, bias: np.ndarray, before: Norm | None = None
) -> None:
    """Give a Dense layer its weights.

    Args:
        model: with the layer.
        name: of the layer.
        kernel: `[output, input]`.
        bias: `[output]`.
        before: the norm that it reads, whose own layer has neither gain nor offset.
    """
    if before is not None:
        bias = bias + kernel @ before.offset
        kernel = kernel * before.gain
    model.get_layer(name).set_weights([kernel.T, bias])


class EncoderWeights:
    """Loads an encoder.

    Args:
        model: with the layers.
        config: the encoder's shape.
        layout: how the checkpoint stores it.
        tensors: by NeMo's names.
    """

    def __init__(
        self,
        model: keras.Model,
        config: EncoderConfig,
        layout: EncoderLayout,
        tensors: TensorTaker,
    ):
        self._model, self._config, self._layout = model, config, layout
        self._tensors = tensors

    def load(self) -> Norm:
        """Give all layers their weights.

        Returns:
            The last norm, whose layer has neither gain nor offset: for those that read it.

        Raises:
            UserError: a tensor is missing, has another shape, or is damaged.
        """
        self._subsampling()
        for index in range(self._config.blocks):
            norm = self._block(index)
        return norm

    def _set(self, name: str, *weights: Any) -> None:
        self._model.get_layer(name).set_weights(list(weights))

    def _subsampling(self) -> None:
        config, take = self._config, self._tensors.take
        channels, index = config.subsampling, 0
        for stage in range(config.halvings):
            name = f"encoder.pre_encode.conv.{index}"
            if stage == 0 or config.subsampling_kind == "striding":
                inputs = 1 if stage == 0 else channels
                kernel = take(f"{name}.weight", channels, inputs, KERNEL, KERNEL)
                bias = take(f"{name}.bias", channels)
                self._set(
                    subsampling_name("conv", stage, first=0), kernel.transpose(2, 3, 1, 0), bias
                )
                index += 2  # an activation stands between
                continue
            depthwise = take(f"{name}.weight", channels, 1, KERNEL, KERNEL)
            depthwise_bias = take(f"{name}.bias", channels)
            name = f"encoder.pre_encode.conv.{index + 1}"
            pointwise = take(f"{name}.weight", channels, channels, 1, 1)[:, :, 0, 0]
            bias = take(f"{name}.bias", channels) + pointwise @ depthwise_bias
            self._set(
                subsampling_name("depthwise", stage, first=1), depthwise.transpose(2, 3, 0, 1)
            )
            set_dense(self._model, subsampling_name("pointwise", stage, first=1), pointwise, bias)
            index += 3
        self._project()

    def _project(self) -> None:
        """The projection of all bands of all channels, which we have band by band."""
        channels, dim = self._config.subsampling, self._config.dim
        layer, scale = self._model.get_layer("subsampling_project"), self._layout.scale
        bands = layer.kernel.shape[0] // channels
        kernel = self._tensors.take("encoder.pre_encode.out.weight", dim, channels * bands)
        kernel = kernel.reshape(dim, channels, bands).swapaxes(1, 2).reshape(dim, -1)
        bias = self._tensors.take("encoder.pre_encode.out.bias", dim)
        set_dense(self._model, "subsampling_project", scale * kernel, scale * bias)

    def _block(self, index: int) -> Norm:
        ours, theirs = block_name(index), f"encoder.layers.{index}"
        self._feed_forward(f"{ours}_ffn1", theirs, 1)
        self._attention(f"{ours}_attention", theirs)
        self._convolution(f"{ours}_conv", theirs)
        self._feed_forward(f"{ours}_ffn2", theirs, 2)
        norm = self._norm(f"{theirs}.norm_out")
        if index < self._config.blocks - 1:
            self._set(f"{ours}_norm", norm.gain, norm.offset)
        return norm

    def _norm(self, name: str) -> Norm:
        return Norm.take(self._tensors, name, self._config.dim)

    def _bias(self, name: str, channels: int, present: bool) -> np.ndarray:
        return self._tensors.take(f"{name}.bias", channels) if present else np.zeros(channels)

    def _linear(
        self, layer: str, name: str, inputs: int, outputs: int, before: Norm | None = None
    ) -> None:
        kernel = self._tensors.take(f"{name}.weight", outputs, inputs)
        bias = self._bias(name, outputs, self._layout.dense_bias)
        set_dense(self._model, layer, kernel, bias, before)

    def _feed_forward(self, ours: str, block: str, number: int) -> None:
        dim, hidden = self._config.dim, self._config.feed_forward
        norm = self._norm(f"{block}.norm_feed_forward{number}")
        theirs = f"{block}.feed_forward{number}"
        self._linear(f"{ours}_expand", f"{theirs}.linear1", dim, hidden, norm)
        self._linear(f"{ours}_project", f"{theirs}.linear2", hidden, dim)

    def _attention(self, ours: str, block: str) -> None:
        dim, heads = self._config.dim, self._config.heads
        norm, theirs = self._norm(f"{block}.norm_self_att"), f"{block}.self_attn"
        for own, letter in (("query", "q"), ("key", "k"), ("value", "v")):
            self._linear(f"{ours}_{own}", f"{theirs}.linear_{letter}", dim, dim, norm)
        self._linear(f"{ours}_output", f"{theirs}.linear_out", dim, dim)
        position = self._tensors.take(f"{theirs}.linear_pos.weight", dim, dim)
        # Sines and cosines alternate there; here the sines come first.
        order = np.r_[0:dim:2, 1:dim:2]
        self._set(f"{ours}_position", position.T[order])
        biases = [
            self._tensors.take(f"{theirs}.pos_bias_{letter}", heads, dim // heads)[:, None]
            for letter in "uv"
        ]
        self._set(ours, *biases)

    def _convolution(self, ours: str, block: str) -> None:
        config, present = self._config, self._layout.conv_bias
        dim, theirs = config.dim, f"{block}.conv"
        for own, number, outputs, before in (
            ("expand", 1, 2 * dim, self._norm(f"{block}.norm_conv")),
            ("project", 2, dim, None),
        ):
            name = f"{theirs}.pointwise_conv{number}"
            kernel = self._tensors.take(f"{name}.weight", outputs, dim, 1)[:, :, 0]
            bias = self._bias(name, outputs, present)
            set_dense(self._model, f"{ours}_{own}", kernel, bias, before)
        name = f"{theirs}.depthwise_conv"
        kernel = self._tensors.take(f"{name}.weight", dim, 1, config.kernel)[:, 0].T
        bias = self._bias(name, dim, present)
        norm = self._norm(f"{theirs}.batch_norm")
        if self._layout.conv_norm == "layer_norm":
            self._set(f"{ours}_inner_norm", norm.gain, norm.offset)
        else:
            gain, mean = norm.gain, np.zeros(dim)
            if self._layout.conv_norm == "batch_norm":
                mean = self._tensors.take(f"{theirs}.batch_norm.running_mean", dim)
                variance = self._tensors.take(f"{theirs}.batch_norm.running_var", dim)
                gain = gain / np.sqrt(variance + BATCH_NORM_EPSILON)
            kernel, bias = kernel * gain, (bias - mean) * gain + norm.offset
        self._set(f"{ours}_depthwise", kernel[:, :, None], bias)


def frame_scale(config: EncoderConfig) -> float:
    """What the subsampled frames are multiplied by where a network scales them."""
    return math.sqrt(config.dim)
