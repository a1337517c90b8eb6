"""Label embedding as a product, so that it is quantized like everything else."""

from typing import Any

import tensorflow as tf
from tensorflow import keras

from asr_qat.quantize.dense import InnerDense
from asr_qat.quantize.product_layer import quantized_layer


@quantized_layer
class Embedding(InnerDense):
    """Rows of a table: the product of one-hot rows with the kernel `[vocab_size, units]`.

    A row of a quantized kernel comes out as its integers times their scales, since a one-hot
    row is exact in 8 bits. Labels outside the vocabulary, such as the blank that begins every
    utterance, give zeros.

    Args:
        vocab_size: number of labels.
        units: channels of the embedding.

    Call arguments:
        labels: int32 `[batch, labels]`.

    Returns:
        `[batch, labels, units]`.
    """

    def __init__(self, vocab_size: int, units: int, **kwargs: Any):
        super().__init__(units, use_bias=False, kernel_initializer="uniform", **kwargs)
        self.vocab_size = vocab_size
        self.input_spec = None  # integers

    def build(self, input_shape: Any) -> None:
        super().build([*input_shape, self.vocab_size])
        self.input_spec = None

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        # One-hot rows, not by `tf.one_hot`: a converter would see the lookup in the product,
        # and leave its table float.
        distance = tf.cast(tf.expand_dims(inputs, -1) - tf.range(self.vocab_size), tf.float32)
        return super().call(tf.nn.relu(1.0 - tf.abs(distance)))

    def get_config(self) -> dict[str, Any]:
        own = {"vocab_size": self.vocab_size, "units": self.units}
        return {**keras.layers.Layer.get_config(self), **own}
