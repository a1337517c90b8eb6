"""LSTM and GRU of stock layers: a product of the inputs, and one in the recurrence."""

from typing import Any

from tensorflow import keras

from asr_qat.arrays import Array
from asr_qat.errors import UserError
from asr_qat.quantize.dense import Dense
from asr_qat.quantize.recurrence import GRURecurrence, LSTMRecurrence, Recurrence
from asr_qat.quantize.stock.masks import Masks
from asr_qat.quantize.stock.rewrite import Call, Rewriter

RECURRENCES: dict[type[keras.layers.Layer], type[Recurrence]] = {
    keras.layers.LSTM: LSTMRecurrence,
    keras.layers.GRU: GRURecurrence,
}
MERGES = {
    "concat": keras.layers.Concatenate,
    "sum": keras.layers.Add,
    "mul": keras.layers.Multiply,
    "ave": keras.layers.Average,
}
INPUT = ("bias_initializer", "kernel_initializer", "kernel_regularizer", "dtype", "trainable")
STEPS = (
    "activation",
    "recurrent_activation",
    "return_sequences",
    "go_backwards",
    "reset_after",
    "dtype",
    "trainable",
)


def rewrite_recurrent(layer: keras.layers.Layer, rewriter: Rewriter) -> Call | str:
    """A dense product of all inputs, then the steps."""
    return reason_to_stay(layer) or steps_of(layer, rewriter, in_order=False)


def rewrite_bidirectional(layer: keras.layers.Bidirectional, rewriter: Rewriter) -> Call | str:
    """Both directions, then what merges them."""
    forward, backward = layer.forward_layer, layer.backward_layer
    reason = reason_to_stay(forward) or reason_to_stay(backward)
    if reason or layer.return_state:
        return reason or "it has return_state=True"
    with rewriter.inside(layer.name):
        # The outputs of the second direction are in reverse, which `in_order` undoes.
        runs = steps_of(forward, rewriter, False), steps_of(backward, rewriter, True)
    merge = None
    if layer.merge_mode is not None:
        merge = rewriter.layer(MERGES[layer.merge_mode], f"{layer.name}.merge", {}, [])

    def call(x: Any, **more: Any) -> Any:
        each = x, x
        if isinstance(x, list):  # the states of both after the input
            half = len(x) // 2 + 1
            each = x[:half], [x[0], *x[half:]]
        outputs = [run(part, **more) for run, part in zip(runs, each, strict=True)]
        return outputs if merge is None else merge(outputs)

    return call


def reason_to_stay(layer: keras.layers.Layer) -> str | None:
    """Why a recurrent layer stays, None if it does not."""
    if type(layer) not in RECURRENCES:
        return f"{type(layer).__name__} has no quantized product"
    for argument in ("stateful", "time_major", "recurrent_dropout"):
        value = getattr(layer, argument)
        if value:
            return f"it has {argument}={value}"
    return None


def steps_of(layer: keras.layers.Layer, rewriter: Rewriter, in_order: bool) -> Call:
    """What replaces a recurrent layer.

    Args:
        layer: the stock one.
        rewriter: makes the layers.
        in_order: the outputs are in the order of the inputs, even if it goes backwards.
    """
    name, config, masks = layer.name, layer.get_config(), Masks(rewriter, layer.name)
    of_input, of_state = _weights(layer)
    given = {key: config[key] for key in INPUT}
    given |= {"units": of_input[0].shape[1], "use_bias": len(of_input) == 2}
    product = rewriter.layer(Dense, f"{name}.input", given, of_input)
    given = {key: config[key] for key in STEPS if key in config}
    given |= {"units": layer.units, "use_bias": len(of_state) == 2, "in_order": in_order}
    given |= {"zero_output_for_mask": layer.zero_output_for_mask}
    given |= {"kernel_regularizer": config["recurrent_regularizer"]}
    steps = rewriter.layer(RECURRENCES[type(layer)], f"{name}.recurrent", given, of_state)
    dropout = None
    if layer.dropout:
        rate = {"rate": layer.dropout}
        dropout = rewriter.layer(keras.layers.Dropout, f"{name}.dropout", rate, [])

    def call(
        x: Any,
        mask: Any = None,
        training: bool | None = None,
        initial_state: Any = None,
        **_: Any,
    ) -> Any:
        if initial_state is not None:  # Keras puts states that are tensors of a model into x
            raise UserError(f"{name}: its initial_state is a constant: make it an input instead")
        x, *states = x if isinstance(x, list) else [x]
        plain = masks.off(x)
        if dropout is not None:
            plain = dropout(plain, training=training)
        used = masks.of(x) if mask is None else mask
        given = [product(plain), *map(masks.off, states), *([] if used is None else [used])]
        outputs, *states = steps(given)
        if layer.return_sequences:
            outputs = masks.back(outputs, x) if mask is None else masks.give(outputs, mask)
        return [outputs, *states] if layer.return_state else outputs

    return call


def _weights(layer: keras.layers.Layer) -> tuple[list[Array], list[Array]]:
    """Kernel, and bias if any: of the product of the inputs, and of that of the state."""
    kernel, recurrent_kernel, *biases = layer.get_weights()
    if biases and biases[0].ndim == 2:  # GRU with `reset_after`
        return [kernel, biases[0][0]], [recurrent_kernel, biases[0][1]]
    return [kernel, *biases], [recurrent_kernel]
