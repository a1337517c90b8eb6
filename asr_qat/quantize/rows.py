"""A table of rows, each with a scale of its own: the weights of an embedding."""

import dataclasses
from typing import Any

import tensorflow as tf
from tensorflow import keras

from asr_qat.arrays import Array
from asr_qat.quantize.grids import Grid, best_share, grid_of, on_grid, values
from asr_qat.quantize.precision import Precision
from asr_qat.quantize.product_layer import ProductLayer, quantized_layer
from asr_qat.quantize.products import Function
from asr_qat.quantize.quantizers import KernelQuantizer, Variables


@dataclasses.dataclass(eq=False)
class QuantizedRows:
    """What a quantizer puts in place of a table `[vocabulary, units]`.

    Only rows that are read are quantized, each by itself: the gradient stays that of few rows.

    Attributes:
        weights: the float table.
        precision: of its rows.
        active: boolean scalar, or None for always: the rows are float while it is false.
    """

    weights: tf.Tensor
    precision: Precision
    active: tf.Tensor | None = None

    def rows(self, ids: tf.Tensor) -> tf.Tensor:
        """Rows `[rows, units]` of int32 `ids` `[rows]`, rounded; the gradient passes straight."""
        rows = tf.gather(self.weights, ids)
        integers, grid = quantize_rows_of(tf.stop_gradient(rows), self.precision)
        rounded = rows + tf.stop_gradient(values(integers, grid)[..., 0] - rows)
        return rounded if self.active is None else tf.where(self.active, rounded, rows)


def quantize_rows_of(rows: tf.Tensor, precision: Precision) -> tuple[tf.Tensor, Grid]:
    """Integers `[..., units, 1]` of rows `[..., units]`, and the grid of each, `[..., 1, 1]`."""
    columns = rows[..., tf.newaxis]
    share: Any = best_share(columns, precision) if precision.range == "clip" else 1.0
    grid = grid_of(columns, precision, share)
    return on_grid(columns, grid, precision), grid


class RowQuantizer(KernelQuantizer):
    """The quantizer of a table: it remembers nothing but the step."""

    def build(self, tensor_shape: Any, name: str, layer: keras.layers.Layer) -> Variables:
        found: Variables = {}
        if self.start_step or self.stages:
            found["step"] = self._add_step(layer, name)
        return found

    def initialize(self, kernel: tf.Tensor, variables: Variables) -> None:
        """Nothing: a row's range is found when it is read."""
        del kernel, variables

    def __call__(  # type: ignore[override]  # rows are no product
        self, inputs: tf.Tensor, training: Any, weights: Variables, **kwargs: Any
    ) -> QuantizedRows:
        """The `QuantizedRows` of the float table `inputs`."""
        active = weights["step"] >= self.start_step if self.start_step else None
        found = QuantizedRows(inputs, self._precision_now(weights), active)
        if training and "step" in weights:
            weights["step"].assign_add(1)
        return found

    def quantize(self, kernel: tf.Tensor, variables: Variables) -> tuple[tf.Tensor, Grid]:
        """Integers `[vocabulary, units]` of the whole table, and a grid `[vocabulary, 1]`."""
        integers, grid = quantize_rows_of(kernel, self._precision_now(variables))
        return integers[..., 0], Grid(grid.scale[..., 0])


@quantized_layer
class RowEmbedding(ProductLayer, keras.layers.Layer):
    """Rows of a table `[vocabulary, units]`, the kernel, each of them with a scale of its own.

    The device looks them up and converts them to float: EMBEDDING_LOOKUP.

    Args:
        vocabulary: number of rows.
        units: channels of a row.
        kernel_initializer: of the table.
        kernel_regularizer: of the table.

    Call arguments:
        inputs: `[...]`, whole numbers from 0 to `vocabulary - 1`.

    Returns:
        `[..., units]`.
    """

    operation = "GatherV2"
    use_bias = False
    bias = None

    def __init__(
        self,
        vocabulary: int,
        units: int,
        kernel_initializer: Any = "uniform",
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs, autocast=False)  # ids stay exact
        self.vocabulary = vocabulary
        self.units = units
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight(
            "kernel",
            [self.vocabulary, self.units],
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
        )
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        ids = tf.reshape(tf.cast(inputs, tf.int32), [-1])  # the device looks up a vector
        plain = tf.is_tensor(self.kernel)
        rows = tf.gather(self.kernel, ids) if plain else self.kernel.rows(ids)
        known = inputs.shape.is_fully_defined()
        shape = inputs.shape if known else tf.shape(inputs)
        rows = tf.reshape(rows, tf.concat([shape, [self.units]], axis=0))
        rows.set_shape([*inputs.shape, self.units])
        return rows

    def device_order(self, integers: Array) -> Array:
        """As they are."""
        return integers

    def quantized_call(
        self, x: tf.Tensor, kernel: Any, bias: tf.Tensor | None, activation: Function
    ) -> tf.Tensor:
        """Rows of a quantized table."""
        del bias, activation  # a lookup has none
        return kernel.rows(x)

    def executed(self, precision: Precision) -> Precision:
        """Float outputs, and a width at which a row fills whole bytes.

        LiteRT 2.3.0 gives wrong rows if it does not.
        """
        bits = precision.weight_bits
        while Precision(bits).storage_bits * self.units % 8:
            bits = 4 if bits < 3 else 8
        found = Precision(bits, range=precision.range)
        return found.searched if found.range == "learned" else found

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "vocabulary": self.vocabulary,
            "units": self.units,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }
