"""What a stock LSTM or GRU does step by step, the product with its state as the one kernel.

The product of the inputs, which needs no earlier step, is a Dense layer of its own in front.
"""

from typing import Any, ClassVar

import tensorflow as tf
from tensorflow import keras

from asr_qat.quantize.dense import InnerDense, product, with_kernel
from asr_qat.quantize.product_layer import quantized_layer

MOST_UNROLLED = 32  # steps that are written out one by one; more are a loop in the graph
States = list[tf.Tensor]  # `[batch, units]` each, the output of the step before first
Carried = tuple[tf.Tensor, ...]  # from step to step: the output that is given, and the states


class Recurrence(InnerDense):
    """Steps with a state; its kernel `[units, gates * units]` multiplies the output before.

    A fixed number of steps, up to `most_unrolled`, is written out: each has a product of its own
    in the graph, with the same kernel. The first step from no state has none.

    Args:
        units: channels of the output and of each state.
        activation: of the new values.
        recurrent_activation: of the gates.
        use_bias: add a bias to the product.
        return_sequences: give the outputs of all steps, not the last one.
        go_backwards: begin with the last step.
        in_order: give the outputs in the order of the inputs, not in that of the computation.
        zero_output_for_mask: a masked step gives zeros, not the output of the step before.

    Call arguments:
        inputs: gates `[batch, steps, gates * units]` of the inputs; then, if the first state is
            not zero, `[batch, units]` for each state; then a mask, if any, bool `[batch, steps]`.

    Returns:
        `[batch, steps, units]` or `[batch, units]`, then the states after the last step.
    """

    gates: ClassVar[int]
    states: ClassVar[int]

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = False,
        return_sequences: bool = False,
        go_backwards: bool = False,
        in_order: bool = False,
        zero_output_for_mask: bool = False,
        kernel_initializer: Any = "orthogonal",
        **kwargs: Any,
    ):
        super().__init__(
            self.gates * units, None, use_bias, kernel_initializer=kernel_initializer, **kwargs
        )
        self.state_units = units
        self.cell_activation = keras.activations.get(activation)
        self.recurrent_activation = keras.activations.get(recurrent_activation)
        self.return_sequences = return_sequences
        self.go_backwards = go_backwards
        self.in_order = in_order
        self.zero_output_for_mask = zero_output_for_mask
        self.most_unrolled = MOST_UNROLLED
        self.input_spec = None  # not one tensor

    def build(self, input_shape: Any) -> None:
        super().build([None, self.state_units])
        self.input_spec = None

    def call(self, inputs: Any) -> list[tf.Tensor]:
        gates, *states = tf.nest.flatten(inputs)
        mask = states.pop() if states and states[-1].dtype == tf.bool else None
        found: list[tf.Tensor] = with_kernel(
            lambda kernel: self._run(kernel, gates, states, mask), self.kernel
        )
        return found

    def step(self, kernel: Any, gates: tf.Tensor, states: States) -> States:
        """The states after a step, the output first.

        Args:
            kernel: of the product with the output of the step before, None if that is zero.
            gates: `[batch, gates * units]` of the inputs.
            states: before the step.
        """
        raise NotImplementedError

    def recurrent(self, kernel: Any, output: tf.Tensor) -> tf.Tensor:
        """The product with an output `[batch, units]`, and its bias."""
        if kernel is None:
            y = tf.zeros([tf.shape(output)[0], self.units], output.dtype)
        else:
            y = product(output, kernel)
        return tf.nn.bias_add(y, self.bias) if self.use_bias else y

    @tf.autograph.experimental.do_not_convert  # nothing to convert, and it takes a second to see it
    def _run(
        self, kernel: Any, gates: tf.Tensor, states: States, mask: tf.Tensor | None
    ) -> list[tf.Tensor]:
        zeros = tf.zeros([tf.shape(gates)[0], self.state_units], gates.dtype)
        carried = (zeros, *(states or [zeros] * self.states))
        steps = gates.shape[1]
        if steps is None or steps > self.most_unrolled:
            return self._looped(kernel, gates, carried, mask)
        first = kernel if states else None
        found = self._unrolled(first, kernel, gates, carried, mask)
        outputs, states = [output for output, *_ in found], list(found[-1][1:])
        if not self.return_sequences:
            return [outputs[-1], *states]
        reverse = self.go_backwards and self.in_order
        return [tf.stack(outputs[::-1] if reverse else outputs, axis=1), *states]

    def _unrolled(
        self, first: Any, kernel: Any, gates: tf.Tensor, carried: Carried, mask: tf.Tensor | None
    ) -> list[Carried]:
        """What each step gives, in the order of the computation; the first has its own kernel."""
        found: list[Carried] = []
        steps = range(gates.shape[1])
        for step in reversed(steps) if self.go_backwards else steps:
            now = tf.reshape(gates[:, step : step + 1], [-1, gates.shape[2]])
            keep = None if mask is None else mask[:, step]
            carried = self._carry(kernel if found else first, now, carried, keep)
            found.append(carried)
        return found

    def _looped(
        self, kernel: Any, gates: tf.Tensor, carried: Carried, mask: tf.Tensor | None
    ) -> list[tf.Tensor]:
        elements = [gates] if mask is None else [gates, mask]
        if self.go_backwards:
            elements = [tf.reverse(each, [1]) for each in elements]
        elements = [tf.experimental.numpy.swapaxes(each, 0, 1) for each in elements]

        def step(carried: Carried, now: list[tf.Tensor]) -> Carried:
            return self._carry(kernel, now[0], carried, now[1] if len(now) == 2 else None)

        outputs, *states = tf.scan(step, elements, carried)
        states = [state[-1] for state in states]
        if not self.return_sequences:
            return [outputs[-1], *states]
        if self.go_backwards and self.in_order:
            outputs = tf.reverse(outputs, [0])
        return [tf.transpose(outputs, [1, 0, 2]), *states]

    def _carry(
        self, kernel: Any, gates: tf.Tensor, carried: Carried, keep: tf.Tensor | None
    ) -> Carried:
        """Output and states after a step, from those before it.

        A step that the mask `keep` `[batch]` leaves out changes no state.
        """
        output, *states = carried
        after = self.step(kernel, gates, states)
        if keep is None:
            return (after[0], *after)
        if self.zero_output_for_mask:
            output = tf.zeros_like(output)
        keep = keep[:, tf.newaxis]
        return tuple(
            tf.where(keep, new, old)
            for new, old in zip((after[0], *after), (output, *states), strict=True)
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **keras.layers.Layer.get_config(self),
            "units": self.state_units,
            "activation": keras.activations.serialize(self.cell_activation),
            "recurrent_activation": keras.activations.serialize(self.recurrent_activation),
            "use_bias": self.use_bias,
            "return_sequences": self.return_sequences,
            "go_backwards": self.go_backwards,
            "in_order": self.in_order,
            "zero_output_for_mask": self.zero_output_for_mask,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }


@quantized_layer
class LSTMRecurrence(Recurrence):
    """The steps of `keras.layers.LSTM`: input, forget, cell and output gate; output and cell."""

    gates = 4
    states = 2

    def step(self, kernel: Any, gates: tf.Tensor, states: States) -> States:
        output, cell = states
        entered, kept, new, shown = tf.split(gates + self.recurrent(kernel, output), 4, axis=-1)
        sigmoid, tanh = self.recurrent_activation, self.cell_activation
        cell = sigmoid(kept) * cell + sigmoid(entered) * tanh(new)
        return [sigmoid(shown) * tanh(cell), cell]


@quantized_layer
class GRURecurrence(Recurrence):
    """The steps of `keras.layers.GRU`: update, reset and new values; the output is the state.

    Args:
        reset_after: the reset gate multiplies the product; else the output before the product,
            which is then multiplied by the kernel twice in a step, once for the gates.
        others: as of `Recurrence`.
    """

    gates = 3
    states = 1

    def __init__(self, units: int, *, reset_after: bool = True, **others: Any):
        super().__init__(units, **others)
        self.reset_after = reset_after

    def step(self, kernel: Any, gates: tf.Tensor, states: States) -> States:
        (output,) = states
        update, reset, new = tf.split(gates, 3, axis=-1)
        inner = tf.split(self.recurrent(kernel, output), 3, axis=-1)
        sigmoid, tanh = self.recurrent_activation, self.cell_activation
        update, reset = sigmoid(update + inner[0]), sigmoid(reset + inner[1])
        if self.reset_after:
            new = tanh(new + reset * inner[2])
        else:
            new = tanh(new + tf.split(self.recurrent(kernel, reset * output), 3, axis=-1)[2])
        return [update * output + (1.0 - update) * new]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "reset_after": self.reset_after}
