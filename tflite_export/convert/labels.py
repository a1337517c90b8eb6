"""Names in the flatbuffer: every dense product carries the name of its Keras layer.

The converter invents names for constants and joins those of fused operations. Here the
product of each Dense layer is found again by the layer's weights and named after it. All
other names are dropped: a small model would spend a tenth of its bytes on them.
"""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from asr_qat.quantize.dense import Dense


def products(model: schema.ModelT):
    """Every FULLY_CONNECTED operator with constant weights: (subgraph, operator)."""
    for graph in model.subgraphs:
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex].builtinCode
            if code == schema.BuiltinOperator.FULLY_CONNECTED:
                yield graph, operator


def label_products(model: schema.ModelT, keras_model) -> None:
    """Name weights and output of each dense product `LAYER/kernel` and `LAYER/product`.

    Until `tidy_names`, the number of the graph follows behind an @: packing needs unique names.

    Args:
        model: the converted float model, changed in place.
        keras_model: the float Keras model that it was converted from.

    Raises:
        ValueError: a product whose weights are those of no Dense layer, up to a factor: the
            converter has merged something into them.
    """
    kernels = {
        layer.name: layer.kernel.numpy().T
        for layer in keras_model.layers
        if isinstance(layer, Dense)
    }
    for graph, operator in products(model):
        weights, output = graph.tensors[operator.inputs[1]], graph.tensors[operator.outputs[0]]
        content = model.buffers[weights.buffer].data.view(np.float32).reshape(weights.shape)
        name = _layer_of(content, kernels)
        if name is None:
            raise ValueError(
                f"{output.name.decode()}: its weights are those of no layer: "
                "the converter merged something into them"
            )
        copy = f"@{next(i for i, g in enumerate(model.subgraphs) if g is graph)}"
        weights.name = f"{name}/kernel{copy}".encode()
        output.name = f"{name}/product{copy}".encode()


def _layer_of(content: np.ndarray, kernels: dict[str, np.ndarray]) -> str | None:
    """The layer whose kernel `[output, input]` is `content` up to one positive factor."""
    at = np.unravel_index(np.argmax(np.abs(content)), content.shape)
    for name, kernel in kernels.items():
        if kernel.shape != content.shape or kernel[at] * content[at] <= 0:
            continue
        factor = content[at] / kernel[at]
        if np.allclose(content[0], factor * kernel[0], rtol=1e-5) and np.allclose(
            content, factor * kernel, rtol=1e-5
        ):
            return name
    return None


def tidy_names(model: schema.ModelT) -> None:
    """Empty the names of all tensors that neither a signature nor a dense product needs."""
    for graph in model.subgraphs:
        interface = {*graph.inputs, *graph.outputs}
        for index, tensor in enumerate(graph.tensors):
            name, _, copy = tensor.name.partition(b"@")
            if copy and name.endswith((b"/kernel", b"/product")):
                tensor.name = name
            elif index not in interface:
                tensor.name = None
