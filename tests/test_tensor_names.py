"""Names of the tensors in a file: one for each, which tells the layer, or none that costs bytes."""

import re

import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from asr_qat import files
from experiments.house.file_rows import BEFORE, content_checksum, made_now
from tests.export_fixtures import SECONDS
from tflite_export.convert.convert import convert_recogniser
from tflite_export.convert.tensor_names import name_tensors, strip_names
from tflite_export.runtime.layer_scopes import layer_of, scope_of
from tflite_export.score.inspect import inspect

pytest_plugins = ["tests.export_fixtures"]

SHORT = re.compile(r"[0-9a-z]{1,4}")


@pytest.mark.parametrize(
    ("layer", "scope"),
    [
        ("block_00_ffn1_expand", "block_00/ffn1_expand"),
        ("cascade_12_attention_query", "cascade_12/attention_query"),
        ("ctc_output", "ctc_output"),
        ("dense_1", "dense_1"),
        ("own/scoped_layer", "own/scoped_layer"),
    ],
)
def test_scopes_and_layers(layer, scope):
    assert scope_of(layer) == scope
    assert layer_of(scope) == layer == layer_of(layer)


def graph_of(names, operators, inputs, outputs) -> schema.SubGraphT:
    graph = schema.SubGraphT()
    graph.inputs, graph.outputs, graph.tensors, graph.operators = inputs, outputs, [], []
    for name in names:
        tensor = schema.TensorT()
        tensor.name = name
        graph.tensors.append(tensor)
    for read, written in operators:
        operator = schema.OperatorT()
        operator.inputs, operator.outputs = read, written
        graph.operators.append(operator)
    return graph


def two_signatures() -> schema.ModelT:
    """Each: an input, a kernel, a product, a QUANTIZE without a name, an ADD of a constant."""
    model = schema.ModelT()
    model.subgraphs = []
    for number in range(2):
        names = [
            f"features_{number}:0",
            f"block_00_a/kernel@{number}",
            f"block_00_a/product@{number}",
        ]
        names += [
            "",
            "arith.constant7",
            "net/block_00_add/add;net/block_00_a/BiasAdd",
            f"out_{number}",
        ]
        operators = [([0, 1], [2]), ([2], [3]), ([3, 4], [5]), ([5], [6])]
        model.subgraphs.append(graph_of([n.encode() for n in names], operators, [0], [6]))
    return model


def names_of(model: schema.ModelT) -> list[list[bytes | None]]:
    return [[tensor.name for tensor in graph.tensors] for graph in model.subgraphs]


def test_names_tell_the_layer_in_the_first_signature():
    model = two_signatures()
    name_tensors(model, {"block_00_a", "block_00_add"})
    first, second = names_of(model)
    kernel, product = b"block_00/a/kernel", b"block_00/a/product"
    inside = [kernel, product, b"block_00/a/0", b"block_00/add/0", b"block_00/add/1"]
    assert first == [b"features_0:0", *inside, b"out_0"]
    assert second == [b"features_1:0", kernel + b"@1", product + b"@1", b"0", b"1", b"2", b"out_1"]


def test_stripped_names_are_those_of_products_and_of_the_interface():
    model = two_signatures()
    strip_names(model)
    for number, found in enumerate(names_of(model)):
        labels = [b"block_00_a/kernel", b"block_00_a/product"]
        assert found == [f"features_{number}:0".encode(), *labels, None, None, None] + [
            f"out_{number}".encode()
        ]


def all_names(path) -> list[str]:
    model = flatbuffer_utils.read_model(str(path))
    return [(t.name or b"").decode() for graph in model.subgraphs for t in graph.tensors]


@pytest.mark.slow
def test_a_file_has_each_name_once(exported):
    path = exported("w4a8")
    names = all_names(path)
    assert "" not in names and len(set(names)) == len(names)
    first, second = flatbuffer_utils.read_model(str(path)).subgraphs
    results = {int(tensor) for operator in first.operators for tensor in operator.outputs}
    inside = [first.tensors[tensor].name.decode() for tensor in results]
    assert sum(name.startswith("block_00/") for name in inside) > 0.6 * len(inside)
    assert all("/" in name or SHORT.fullmatch(name) for name in inside)
    rest = [t.name.decode() for t in second.tensors]
    assert sum(bool(SHORT.fullmatch(name)) for name in rest) > 0.6 * len(rest)


@pytest.mark.slow
def test_a_stripped_file_holds_the_same(exported, float_recogniser, tmp_path):
    named, stripped = exported("w4a8"), tmp_path / "stripped.tflite"
    stripped.write_bytes(convert_recogniser(float_recogniser, "w4a8", SECONDS, names=False))
    assert stripped.stat().st_size < named.stat().st_size
    assert inspect(stripped).weight_widths == inspect(named).weight_widths
    assert {layer_of(name).partition("@")[0] for name in all_names(named)} >= {
        name for name in all_names(stripped) if name.endswith(("/kernel", "/product"))
    }


@pytest.mark.long
def test_a_stripped_file_is_that_of_before_the_names(tmp_path):
    name = "an4_tiny_transducer_float/w4a8"
    before = files.read_json(BEFORE)["files"]
    assert content_checksum(made_now(name, tmp_path)) == before[name]
