"""The recurrence of an LSTM (Hochreiter and Schmidhuber, 1997)."""

from typing import Any

import tensorflow as tf
from tensorflow import keras

from asr_qat.quantize.dense import InnerDense, product, with_kernel
from asr_qat.quantize.product_layer import quantized_layer

State = tuple[tf.Tensor, tf.Tensor]  # output and cell
WithState = tuple[tf.Tensor, tf.Tensor, tf.Tensor]  # gates or outputs first
FORGET_BIAS = 1.0  # added to the forget gate, so that an initial cell remembers


@quantized_layer
class LSTM(InnerDense):
    """What an LSTM does step by step; its kernel `[units, 4 * units]` multiplies the output.

    The product of the inputs, which needs no earlier step, and the bias are a Dense layer of
    their own in front: both products have a name and a precision.

    Args:
        units: channels of the output and of the cell.

    Call arguments:
        gates: `[batch, steps, 4 * units]`, from the Dense layer: input, forget, cell, output.
        output, cell: `[batch, units]`, the state before the first step.

    Returns:
        `[batch, steps, units]`, and the state `[batch, units]` twice after the last step.
    """

    def __init__(self, units: int, **kwargs: Any):
        super().__init__(4 * units, use_bias=False, kernel_initializer="orthogonal", **kwargs)
        self.state_units = units
        self.input_spec = None  # not one tensor of floats

    def states(self) -> list[tuple[str, int]]:
        """Name and channels of each state."""
        return [("output", self.state_units), ("cell", self.state_units)]

    def build(self, input_shape: Any) -> None:
        super().build(input_shape[1])
        self.input_spec = None

    def call(self, inputs: WithState) -> WithState:
        gates, output, cell = inputs
        found: WithState = with_kernel(
            lambda kernel: self._run(gates, output, cell, kernel), self.kernel
        )
        return found

    def _run(self, gates: tf.Tensor, output: tf.Tensor, cell: tf.Tensor, kernel: Any) -> WithState:
        def step(state: State, gates: tf.Tensor) -> State:
            output, cell = state
            gates += product(output, kernel)
            entered, kept, new, shown = tf.split(gates, 4, axis=-1)
            cell = tf.sigmoid(kept + FORGET_BIAS) * cell + tf.sigmoid(entered) * tf.tanh(new)
            return tf.sigmoid(shown) * tf.tanh(cell), cell

        if gates.shape[1] == 1:  # on the device: no loop in the graph
            output, cell = step((output, cell), gates[:, 0])
            return tf.expand_dims(output, 1), output, cell
        outputs, cells = tf.scan(step, tf.transpose(gates, [1, 0, 2]), (output, cell))
        return tf.transpose(outputs, [1, 0, 2]), outputs[-1], cells[-1]

    def get_config(self) -> dict[str, Any]:
        return {**keras.layers.Layer.get_config(self), "units": self.state_units}
