"""Round the kernels of a float model one after the other, each for the inputs that it will see.

The model runs twice over the same data, layer by layer: as it is, and with the kernels that are
rounded already. With `x` a layer's inputs in the first run and `y` in the second, rounded as on the
device (but for static ranges, which are found in the end), its rounded kernel `V` and bias `c` are
those that keep

    mean |W' x + b - V' y - c|^2 + damping |V - W|^2

small: they make up for what the layers before lost. Without the rounding the best is

    V = W + (H + damping)^-1 C W,  H = cov(y, y),  C = cov(y, x - y)
    c = b + W' mean(x) - V' mean(y)

to which `asr_qat.quantize.second_order` rounds with the moment `H + damping`. (GPTQ against the
inputs of the float model: Li et al., 2025, arXiv 2504.02692.)
"""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

from asr_qat import compat
from asr_qat.arrays import Array
from asr_qat.errors import require
from asr_qat.progress import progress
from asr_qat.quantize.grids import Grid
from asr_qat.quantize.numerics import quantize_rows
from asr_qat.quantize.precision import FLOAT_BITS, Precision
from asr_qat.quantize.product_layer import ProductLayer
from asr_qat.quantize.second_order import Rounding, second_order

DAMPING = 0.05  # of the mean variance of the inputs,
LEAST_ENERGY = 1e-30  # which is not taken to be less

Values = dict[int, Any]  # of the tensors of one batch that are still wanted, by `id`
Wanted = Callable[[ProductLayer], Precision | None]


@dataclasses.dataclass(frozen=True)
class RoundedLayer:
    """What takes the place of a layer's weights.

    Attributes:
        kernel: float32 `[input, output]`, values on the grid.
        bias: float32 `[output]`, or None.
        grid: of the kernel.
    """

    kernel: Array
    bias: Array | None
    grid: Grid


def round_layer_by_layer(
    model: keras.Model,
    batches: Sequence[Any],
    wanted: Wanted,
    quiet: bool = True,
    rounding: Rounding = "gptq",
) -> dict[str, RoundedLayer]:
    """Kernels on their grids, with biases, for the layers of a float model.

    A layer that does more than one product of matrices, or is called more than once, is not
    among them.

    Args:
        model: Functional; it is left as it is.
        batches: its inputs, without padding: what is padded counts like anything else.
        wanted: the precision of a product, None for one that stays.
        quiet: without progress.
        rounding: see `asr_qat.quantize.second_order`.

    Returns:
        By the layers' names.

    Raises:
        UserError: there is no batch, one does not fit the model, or values are not finite.
    """
    require(len(batches) > 0, "calibration: there is no batch in it")
    nodes = [node for node in compat.nodes(model) if not node.is_input]
    calls = Counter(node.layer.name for node in nodes)
    precisions = {}
    for number, node in enumerate(nodes):
        precision = _precision(node.layer, wanted) if calls[node.layer.name] == 1 else None
        if precision is not None:
            precisions[number] = precision
    nodes = nodes[: max(precisions, default=-1) + 1]
    runs = _TwoRuns(model, nodes, batches)
    found: dict[str, RoundedLayer] = {}
    for number, node in enumerate(progress(nodes, "round", len(nodes), "layer", quiet)):
        rounded = None
        if number in precisions:
            inputs = runs.inputs(node, precisions[number])
            rounded = found[node.layer.name] = _rounded(
                node.layer, inputs, precisions[number], rounding
            )
        runs.step(node, rounded)
    return found


def _precision(layer: keras.layers.Layer, wanted: Wanted) -> Precision | None:
    """That at which a layer is to be rounded here, if it is."""
    if not isinstance(layer, ProductLayer) or not layer.multiplies_rows:
        return None
    precision = wanted(layer)
    return None if precision is None or precision.weight_bits == FLOAT_BITS else precision


@dataclasses.dataclass(frozen=True)
class _Inputs:
    """Of a layer, in both runs, over all rows.

    Attributes:
        meant: float64 `[input]`, the mean of the float model's.
        seen: float64 `[input]`, the mean of those after rounded layers, rounded themselves.
        moment: float64 `[input, input]`, covariance of the latter, or without a bias their
            mean `x x'`; damped.
        lost: float64 `[input, input]`, the same of the latter with what they lack.
    """

    meant: Array
    seen: Array
    moment: Array
    lost: Array


def _rounded(
    layer: ProductLayer, inputs: _Inputs, precision: Precision, rounding: Rounding
) -> RoundedLayer:
    weights = layer.kernel.numpy()
    made_up = np.linalg.solve(inputs.moment, inputs.lost @ weights)
    target = (weights + made_up).astype(np.float32)
    rounded = second_order(weights, inputs.moment, precision, target, rounding)
    bias = None
    if layer.bias is not None:
        change = inputs.meant @ weights - inputs.seen @ rounded.values
        bias = (layer.bias.numpy() + change).astype(np.float32)
    return RoundedLayer(rounded.values, bias, rounded.grid)


class _TwoRuns:
    """Both runs of a model over its batches, a layer at a time; what is used up is forgotten."""

    def __init__(self, model: keras.Model, nodes: Sequence[Any], batches: Sequence[Any]):
        self._plain = [_given(model, batch) for batch in batches]
        self._seen = self._plain  # until a layer is rounded
        self._uses = Counter(id(tensor) for node in nodes for tensor in node.keras_inputs)
        self._last: tuple[Any, _Inputs] | None = None

    def inputs(self, node: Any, precision: Precision) -> _Inputs:
        """What a node's layer sees at a precision. Raises `UserError` if that is not finite."""
        layer = node.layer
        (tensor,) = node.keras_inputs
        key = (id(tensor), precision.activation_bits, precision.static, layer.bias is None)
        if self._last is None or self._last[0] != key:  # several products have one input
            pairs = [
                (_rows(plain[id(tensor)]), _on_device(seen[id(tensor)], precision))
                for plain, seen in zip(self._plain, self._seen, strict=True)
            ]
            found = _inputs(pairs, centred=layer.bias is not None)
            whole = bool(np.isfinite(found.moment).all() and np.isfinite(found.lost).all())
            require(whole, f"calibration: what {layer.name} sees is not finite, or far too large")
            self._last = key, found
        return self._last[1]

    def step(self, node: Any, rounded: RoundedLayer | None) -> None:
        """Call a node's layer in both runs, in the second one with its rounded weights."""
        before = self._call(node, self._plain)
        if rounded is None:
            now = before if self._seen is self._plain else self._call(node, self._seen)
        else:
            if self._seen is self._plain:
                self._seen = [dict(values) for values in self._plain]
            now = self._with_weights(node, rounded)
        self._keep(node, before, now)

    def _with_weights(self, node: Any, rounded: RoundedLayer) -> list[Any]:
        layer = node.layer
        kept = layer.get_weights()
        layer.kernel.assign(rounded.kernel)
        if rounded.bias is not None:
            layer.bias.assign(rounded.bias)
        try:
            return self._call(node, self._seen)
        finally:
            layer.set_weights(kept)

    def _call(self, node: Any, batches: list[Values]) -> list[Any]:
        """What a layer gives in each batch."""
        calls = [_arguments(node, values) for values in batches]
        return [node.layer(*args, **kwargs) for args, kwargs in calls]

    def _keep(self, node: Any, before: list[Any], now: list[Any]) -> None:
        tensors = [id(tensor) for tensor in tf.nest.flatten(node.outputs)]
        runs = [(self._plain, before)]
        runs += [] if self._seen is self._plain else [(self._seen, now)]
        for tensor in node.keras_inputs:
            self._uses[id(tensor)] -= 1
        done = {id(tensor) for tensor in node.keras_inputs if not self._uses[id(tensor)]}
        for batches, found in runs:
            for values, outputs in zip(batches, found, strict=True):
                values.update(zip(tensors, tf.nest.flatten(outputs), strict=True))
                for tensor in done:
                    values.pop(tensor, None)


def _given(model: keras.Model, batch: Any) -> Values:
    """The inputs of a model in one batch."""
    inputs = compat.inputs_of_call(model, batch)
    found = {}
    for each, value in zip(model.inputs, inputs, strict=True):
        found[id(each)] = tensor = tf.convert_to_tensor(value, each.dtype)
        require(
            each.shape.is_compatible_with(tensor.shape),
            f"calibration: a batch of shape {tuple(tensor.shape)} for the input {each.name}, "
            f"which takes {tuple(each.shape)}",
        )
    return found


def _arguments(node: Any, values: Values) -> Any:
    """Positional and keyword arguments of a layer's call in one batch."""
    given = (node.call_args, node.call_kwargs)
    return tf.nest.map_structure(lambda part: values.get(id(part), part), given)


def _rows(x: tf.Tensor) -> tf.Tensor:
    return tf.reshape(x, [-1, x.shape[-1]])


def _on_device(x: tf.Tensor, precision: Precision) -> tf.Tensor:
    """Inputs as rows `[rows, input]`, rounded as on the device where ranges go by the row.

    Static ranges are found in the end: until then such inputs stay as they are.
    """
    rows = _rows(x)
    if precision.activation_bits is None or precision.static:
        return rows
    integers, scale = quantize_rows(rows, precision.activation_bits)
    return integers * scale


def _inputs(pairs: Sequence[tuple[tf.Tensor, tf.Tensor]], centred: bool) -> _Inputs:
    """Means and moments over the rows of float and rounded inputs.

    Means are taken off before anything is multiplied: of inputs that hardly vary, the difference
    of two large numbers would be left, which may be below zero.
    """
    count = max(sum(len(seen) for _, seen in pairs), 1)

    def mean_of(parts: Iterable[tf.Tensor]) -> Array:
        found: Array = sum(part.numpy().astype(np.float64) for part in parts) / count
        return found

    meant = mean_of(tf.reduce_sum(plain, axis=0) for plain, _ in pairs)
    mean = mean_of(tf.reduce_sum(seen, axis=0) for _, seen in pairs)
    if centred:
        middles = meant.astype(np.float32), mean.astype(np.float32)
        pairs = [(plain - middles[0], seen - middles[1]) for plain, seen in pairs]
    moment = mean_of(tf.matmul(seen, seen, transpose_a=True) for _, seen in pairs)
    lost = mean_of(tf.matmul(seen, plain - seen, transpose_a=True) for plain, seen in pairs)
    energy = max(float(np.mean(np.diag(moment))), LEAST_ENERGY)
    np.fill_diagonal(moment, np.diag(moment) + DAMPING * energy)
    return _Inputs(meant, mean, moment, lost)
