"""Names in the flatbuffer: every product carries the name of its Keras layer.

The converter invents names for constants, but the result of a product keeps those of the
TensorFlow operations it was fused from, `MODEL/block_00_ffn1_expand/Tensordot;...`: the layer is
read from there. Only an output of a signature loses them; its operations are found in the function
that became the signature. The weights are then compared with the layer's, so that nothing the
converter merged into them passes unseen, and the products of each signature with those of its
function, so that none is missing.

What the names in the file are, see `tflite_export.convert.tensor_names`.
"""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from tensorflow import keras

from asr_qat.layers.dropout import Dropout
from asr_qat.quantize.depthwise import DepthwiseConv
from asr_qat.quantize.product_layer import ProductLayer
from tflite_export.convert.labelled import (
    DEPTHWISE,
    MULTIPLICATIONS,
    layer_of_product,
    operators_of,
    output_name,
    products,
)
from tflite_export.runtime.layer_scopes import layer_of

NO_TENSOR = -1
OPERATIONS_BACK = 16  # from an output back to its product
Functions = Mapping[str, tf.types.experimental.ConcreteFunction]


def merged_factors(keras_model: keras.Model) -> dict[str, float]:
    """Constants that the converter multiplies into the weights and bias of a layer, by its name.

    They are those of a `Rescaling` that reads the layer's output, such as the half step after a
    feed-forward module, and of layers that say so in `input_factors`, one for each input. None
    for a layer with an offset: that is added to the product before the factor.
    """
    factors: dict[str, float] = {}
    for layer in keras_model.layers:
        scale = layer.scale if isinstance(layer, keras.layers.Rescaling) else None
        own = (scale,) if scale is not None else getattr(layer, "input_factors", ())
        for source, factor in zip(_sources(layer), own, strict=False):
            if isinstance(source, ProductLayer) and source.offset is None and factor != 1.0:
                factors[source.name] = factors.get(source.name, 1.0) * float(factor)
    return factors


def _sources(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """The layers whose outputs another one reads; dropout is passed over, as in inference."""
    sources = []
    for source in tf.nest.flatten(layer.inbound_nodes[0].inbound_layers):
        while isinstance(source, Dropout | keras.layers.Dropout):
            source = source.inbound_nodes[0].inbound_layers
        sources.append(getattr(source, "layer", source))  # a quantized layer is in a wrapper
    return sources


def output_operations(model: schema.ModelT, functions: Functions) -> dict[tuple[int, int], str]:
    """The operations that lead to each output of a signature, by subgraph and tensor.

    Args:
        model: the converted model.
        functions: those that became its signatures, by name.
    """
    found = {}
    for signature in model.signatureDefs or []:
        results = functions[signature.signatureKey.decode()].graph.structured_outputs
        for output in signature.outputs:
            operation = results[output.name.decode()].op
            names: list[str] = []
            while operation.inputs and len(names) < OPERATIONS_BACK:
                names.append(operation.name)
                if operation.type in ("MatMul", "Conv2D"):
                    break
                operation = operation.inputs[0].op
            found[signature.subgraphIndex, output.tensorIndex] = ";".join(reversed(names))
    return found


def label_products(
    model: schema.ModelT,
    keras_model: keras.Model,
    outputs: Mapping[tuple[int, int], str] | None = None,
) -> None:
    """Name the output of each product `LAYER/product`; convolutions of stock layers have none.

    Those of a channel by itself are products where they are quantized.

    Until `tensor_names`, the number of the graph follows after an @: packing needs unique names.

    Args:
        model: the converted float model, changed in place.
        keras_model: the float Keras model that it was converted from.
        outputs: see `output_operations`.

    Raises:
        ValueError: a product of no layer, or with other weights than its layer has: the
            converter has merged something into them.
    """
    layers = _product_layers(keras_model)
    factors = merged_factors(keras_model)
    numbers = {id(graph): index for index, graph in enumerate(model.subgraphs)}
    checked = set()
    depthwise: dict[str, ProductLayer] = {
        name: each for name, each in layers.items() if isinstance(each, DepthwiseConv)
    }
    others = {name: each for name, each in layers.items() if name not in depthwise}
    for graph, operator in operators_of(model, (*MULTIPLICATIONS, DEPTHWISE)):
        index, tensor = numbers[id(graph)], int(operator.outputs[0])
        operations = (outputs or {}).get((index, tensor)) or output_name(graph, operator)
        code = model.operatorCodes[operator.opcodeIndex].builtinCode
        candidates = depthwise if code == DEPTHWISE else others
        named = _names_in(operations) & candidates.keys()
        if code != schema.BuiltinOperator.FULLY_CONNECTED and not named:
            continue  # of a stock layer; `check_complete` would miss another one
        name = _layer_of(operations, candidates)
        weights = graph.tensors[operator.inputs[1]]
        factor = factors.get(name, 1.0)
        pair = (weights.buffer, id(layers[name].kernel), factor)
        if pair not in checked:
            content = model.buffers[weights.buffer].data.view(np.float32).reshape(weights.shape)
            _check_weights(name, content, layers[name], factor)
            checked.add(pair)
        graph.tensors[tensor].name = f"{name}/product@{index}".encode()


def check_complete(model: schema.ModelT, keras_model: keras.Model, functions: Functions) -> None:
    """Compare the labelled products of each signature with those of its function.

    Raises:
        ValueError: one is missing, or there more often: the converter computes equal products
            once, and may find others.
    """
    layers = _product_layers(keras_model)
    for signature in model.signatureDefs or []:
        graph, key = model.subgraphs[signature.subgraphIndex], signature.signatureKey.decode()
        found = Counter(layer_of_product(g, o) for g, o in products(model) if g is graph)
        expected = Counter(
            name
            for operation in functions[key].graph.get_operations()
            for name in _names_in(operation.name) & layers.keys()
            if operation.type == layers[name].operation
        )
        if found != expected:
            names = ", ".join(sorted((found - expected) | (expected - found)))
            raise ValueError(f"{key}: not the products of its function: {names}")


def _product_layers(keras_model: keras.Model) -> dict[str, ProductLayer]:
    return {layer.name: layer for layer in keras_model.layers if isinstance(layer, ProductLayer)}


def _names_in(operations: str) -> set[str]:
    """The words of operations `MODEL/LAYER/OPERATION;...`, names of layers among them.

    In a finished file a layer is a scope, see `tflite_export.convert.tensor_names`. Before that a
    path may begin with a signature, `cascade_1`, which looks like one.
    """
    return {
        part
        for path in operations.split(";")
        for form in (path, layer_of(path))
        for part in form.split("/")
    }


def _layer_of(operations: str, layers: Mapping[str, ProductLayer]) -> str:
    """The one layer with a product among operations `MODEL/LAYER/OPERATION;...`."""
    found = sorted(_names_in(operations) & layers.keys())
    if len(found) != 1:
        named = "none" if not found else " and ".join(found)
        raise ValueError(f"{operations}: expected a product of one layer, found {named}")
    return found[0]


def _check_weights(name: str, content: np.ndarray, layer: ProductLayer, factor: float) -> None:
    kernel = layer.kernel.numpy()
    if isinstance(layer, DepthwiseConv):
        kernel = kernel.reshape(content.shape)
    else:
        kernel = np.moveaxis(kernel, -1, 0)  # both other operators have outputs first
    if kernel.shape != content.shape or not np.allclose(content, factor * kernel, rtol=1e-5):
        raise ValueError(
            f"{name}: the weights of its product are not the layer's: the converter merged "
            "something into them"
        )
