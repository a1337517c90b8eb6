"""EinsumDense: a dense product, if it contracts the last axes of its input."""

import dataclasses
import re
from typing import Any

import numpy as np
from tensorflow import keras

from asr_qat.quantize.dense import Dense
from asr_qat.quantize.stock.dense import shared_config
from asr_qat.quantize.stock.masks import Masks
from asr_qat.quantize.stock.rewrite import Call, Rewriter
from asr_qat.quantize.stock.shapes import ReshapeLast

_EQUATION = re.compile(r"(\.\.\.)?([a-zA-Z]+),([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]+)")


@dataclasses.dataclass(frozen=True)
class Contraction:
    """A product `[..., inputs]` times `[inputs, outputs]` of several axes each.

    Attributes:
        inputs: how many axes of the input are contracted.
        outputs: letters of the axes that take their place.
    """

    inputs: int
    outputs: str


def contraction(equation: str) -> Contraction | None:
    """What an equation contracts, or None if it is not the last axes, in the kernel's order."""
    match = _EQUATION.fullmatch(equation.replace(" ", ""))
    if match is None:
        return None
    dots_before, given, kernel, dots_after, result = match.groups()
    if dots_before != dots_after or len(set(kernel)) != len(kernel):
        return None
    inputs = sum(axis in given for axis in kernel)
    contracted, outputs = kernel[:inputs], kernel[inputs:]
    kept = given[: len(given) - inputs]
    trailing = given[len(kept) :] == contracted and result == kept + outputs
    apart = not set(outputs) & set(given) and not set(contracted) & set(result)
    return Contraction(inputs, outputs) if trailing and apart and inputs and outputs else None


def rewrite_einsum_dense(layer: keras.layers.EinsumDense, rewriter: Rewriter) -> Call | str:
    """A dense product between two changes of shape, where the axes are several."""
    found = contraction(layer.equation)
    if found is None:
        return (
            f"the equation '{layer.equation}' is not a product with the last axes of the input "
            "in the order of the kernel"
        )
    if layer.bias_axes and set(layer.bias_axes) - set(found.outputs):
        return f"its bias has an axis, of '{layer.bias_axes}', that the kernel has not"
    masks, product = Masks(rewriter, layer.name), einsum_product(layer, rewriter, layer.name, found)
    return lambda x, **_: product(masks.off(x))  # the stock layer hands no mask on


def einsum_product(
    layer: keras.layers.EinsumDense, rewriter: Rewriter, name: str, found: Contraction
) -> Call:
    """The product of a layer, and what it needs before and after.

    Args:
        layer: whose weights it has.
        rewriter: makes the layers.
        name: of the product.
        found: what the layer's equation contracts.
    """
    kernel = layer.kernel.numpy()
    shape = kernel.shape[found.inputs :]
    weights = [kernel.reshape(-1, np.prod(shape))]
    if layer.bias is not None:
        weights.append(np.broadcast_to(layer.bias.numpy(), shape).reshape(-1))
    config = {**shared_config(layer), "units": weights[0].shape[1], "use_bias": len(weights) == 2}
    steps = []
    if found.inputs > 1:
        joined = {"axes": found.inputs, "shape": [weights[0].shape[0]]}
        steps.append(rewriter.layer(ReshapeLast, f"{name}.join", joined, []))
    if len(shape) == 1:
        return _chain([*steps, rewriter.layer(Dense, name, config, weights)])
    activation = config.pop("activation")  # it may go by the last axis
    steps.append(rewriter.layer(Dense, name, config, weights))
    steps.append(rewriter.layer(ReshapeLast, f"{name}.split", {"axes": 1, "shape": shape}, []))
    if activation != "linear":
        given = {"activation": activation}
        steps.append(rewriter.layer(keras.layers.Activation, f"{name}.activation", given, []))
    return _chain(steps)


def _chain(steps: list[keras.layers.Layer]) -> Call:
    def call(x: Any) -> Any:
        for step in steps:
            x = step(x)
        return x

    return call
