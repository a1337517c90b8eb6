"""Keras masks around quantized products.

Keras hands a mask on from layer to layer unseen. tfmot's wrapper of a quantized layer does not:
it fails where its input has one. So a product gets its input without the mask, and its output
gets the mask back.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow import keras

from asr_qat.quantize.stock.rewrite import Call, Rewriter

kernel_free = keras.utils.register_keras_serializable("asr_qat")  # a model is loaded with them


@kernel_free
class WithoutMask(keras.layers.Layer):
    """The same tensor without its Keras mask."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.identity(inputs)


@kernel_free
class WithMask(keras.layers.Layer):
    """The first of two tensors, with the Keras mask of the second one."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: list[tf.Tensor]) -> tf.Tensor:
        return tf.identity(inputs[0])

    def compute_mask(self, inputs: list[tf.Tensor], mask: Any = None) -> tf.Tensor | None:
        return None if mask is None else mask[1]


@kernel_free
class WithGivenMask(WithMask):
    """The first of two tensors, with the second one, bool `[batch, steps]`, as its Keras mask."""

    def compute_mask(self, inputs: list[tf.Tensor], mask: Any = None) -> tf.Tensor:
        return inputs[1]


@kernel_free
class MaskOf(keras.layers.Layer):
    """The Keras mask of a tensor as a tensor: bool `[batch, steps]`."""

    def call(self, inputs: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        assert mask is not None
        return tf.identity(mask)


def has_mask(x: Any) -> bool:
    """Whether a tensor has a Keras mask."""
    return getattr(x, "_keras_mask", None) is not None


class Masks:
    """Takes masks off and puts them back, around what replaces one layer.

    Args:
        rewriter: makes the layers for it, when they are needed.
        name: of the layer that is replaced.
    """

    def __init__(self, rewriter: Rewriter, name: str):
        self._rewriter = rewriter
        self._name = name
        self._made: dict[str, keras.layers.Layer] = {}
        self._inside = rewriter.prefix

    def off(self, x: Any) -> Any:
        """The tensor without its mask."""
        return self._layer(WithoutMask, "without_mask")(x) if has_mask(x) else x

    def back(self, y: Any, x: Any) -> Any:
        """`y` with the mask of `x`."""
        return self._layer(WithMask, "with_mask")([y, x]) if has_mask(x) else y

    def give(self, y: Any, mask: Any) -> Any:
        """`y` with a mask that is a tensor."""
        return self._layer(WithGivenMask, "with_given_mask")([y, mask])

    def of(self, x: Any) -> Any:
        """The mask as a tensor, or None."""
        return self._layer(MaskOf, "mask")(x) if has_mask(x) else None

    def _layer(self, cls: Callable[..., keras.layers.Layer], name: str) -> keras.layers.Layer:
        if name not in self._made:
            self._made[name] = cls(name=f"{self._inside}{self._name}.{name}")
        return self._made[name]


def around_mask(rewriter: Rewriter, name: str, call: Call) -> Call:
    """A call of one tensor in which products see no mask, and which hands the mask on."""
    masks = Masks(rewriter, name)

    def masked(x: Any, **more: Any) -> Any:
        return masks.back(call(masks.off(x), **more), x)

    return masked
