"""2-bit weights widened in memory: what LiteRT computes stays the same, to the bit."""

import dataclasses
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

import tflite_export
from asr_qat.errors import UserError
from tests.tones_fixtures import tones_file
from tflite_export.commands import arguments
from tflite_export.convert.serialize import SharingBuilder
from tflite_export.runtime import processor, widen
from tflite_export.runtime.model_file import ModelFile
from tflite_export.runtime.widen import as_computed, widened

pytestmark = pytest.mark.runtime

UNITS, ROWS = 10, 37
DENSE = schema.BuiltinOperator.FULLY_CONNECTED


@dataclasses.dataclass
class Network:
    """A flatbuffer that grows by operators, each a graph of its own."""

    model: schema.ModelT

    @classmethod
    def empty(cls) -> "Network":
        model = schema.ModelT()
        model.version, model.buffers = 3, [schema.BufferT()]
        model.subgraphs, model.operatorCodes = [], []
        return cls(model)

    def buffer(self, data: np.ndarray) -> int:
        buffer = schema.BufferT()
        buffer.data = data.reshape(-1).view(np.uint8)
        self.model.buffers.append(buffer)
        return len(self.model.buffers) - 1

    def graph(self) -> schema.SubGraphT:
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = [], []
        self.model.subgraphs.append(graph)
        return graph

    def operator(self, graph, kind: int, inputs: list[int], outputs: list[int], options=None):
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = kind
        code.version = 12
        self.model.operatorCodes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs, operator.outputs = inputs, outputs
        if options is not None:
            operator.builtinOptions = options
            operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
        graph.operators.append(operator)
        graph.inputs, graph.outputs = inputs[:1], outputs

    def product(self, inputs: int, weights: int, static: bool = False) -> schema.SubGraphT:
        """A FULLY_CONNECTED of weights in a buffer."""
        graph, rng = self.graph(), np.random.default_rng(inputs)
        kind = schema.TensorType.INT8 if static else schema.TensorType.FLOAT32
        scales = rng.uniform(0.01, 0.1, UNITS).astype(np.float32)
        bias = rng.standard_normal(UNITS).astype(np.float32)
        x = tensor(graph, [ROWS, inputs], kind, 0, (0.02, 3) if static else None)
        kernel = tensor(graph, [UNITS, inputs], schema.TensorType.INT2, weights, (scales, 0))
        if static:
            integers = np.round(bias * 50).astype(np.int32)
            unit = (scales * np.float32(0.02), 0)
            added = tensor(graph, [UNITS], schema.TensorType.INT32, self.buffer(integers), unit)
        else:
            added = tensor(graph, [UNITS], schema.TensorType.FLOAT32, self.buffer(bias))
        y = tensor(graph, [ROWS, UNITS], kind, 0, (0.07, -5) if static else None)
        options = schema.FullyConnectedOptionsT()
        options.asymmetricQuantizeInputs = not static
        self.operator(graph, DENSE, [x, kernel, added], [y], options)
        return graph

    def file(self) -> ModelFile:
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return ModelFile(Path("model.tflite"), bytes(builder.Output()), False)


def tensor(graph, shape, kind, buffer=0, quantization=None) -> int:
    found = schema.TensorT()
    found.name, found.shape, found.type = b"", np.array(shape, np.int32), kind
    found.buffer = buffer
    if quantization is not None:
        scale, zero_point = quantization
        found.quantization = schema.QuantizationParametersT()
        found.quantization.scale = np.atleast_1d(np.float32(scale))
        zeros = np.full(len(found.quantization.scale), zero_point, np.int64)
        found.quantization.zeroPoint = zeros
    graph.tensors.append(found)
    return len(graph.tensors) - 1


def packed(values: np.ndarray) -> np.ndarray:
    """2-bit integers, the first one in the lowest bits."""
    fours = np.pad(values.reshape(-1) & 3, (0, -values.size % 4)).astype(np.uint8).reshape(-1, 4)
    return np.bitwise_or.reduce(fours << np.array([0, 2, 4, 6], np.uint8), axis=1)


def integers(inputs: int, least: int = -2) -> np.ndarray:
    return np.random.default_rng(inputs).integers(least, 2, (UNITS, inputs)).astype(np.int8)


def one_product(inputs: int, static: bool = False, least: int = -2) -> ModelFile:
    network = Network.empty()
    network.product(inputs, network.buffer(packed(integers(inputs, least))), static)
    return network.file()


def output(file: ModelFile, x: np.ndarray) -> np.ndarray:
    interpreter = Interpreter(model_content=file.content, num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def types(file: ModelFile) -> list[int]:
    graphs = [file.model.Subgraphs(i) for i in range(file.model.SubgraphsLength())]
    return [graph.Tensors(1).Type() for graph in graphs]


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("least", [-2, -1], ids=["four values", "ternary"])
@pytest.mark.parametrize("static", [False, True], ids=["dynamic", "static"])
@pytest.mark.parametrize("inputs", [4, 12, 64, 516])
def test_a_product_is_the_same_to_the_bit(inputs, static, least, bits):
    file, rng = one_product(inputs, static, least), np.random.default_rng(0)
    wide = widened(file, bits)
    assert types(wide) == [widen.TYPES[bits]]
    for _ in range(5):
        if static:
            x = rng.integers(-128, 128, (ROWS, inputs)).astype(np.int8)
        else:  # of one sign and of both, tiny and large
            x = rng.standard_normal((ROWS, inputs)) + rng.uniform(-3, 3, (ROWS, 1))
            x = (x * np.geomspace(1e-3, 1e3, ROWS)[:, None]).astype(np.float32)
        np.testing.assert_array_equal(output(wide, x), output(file, x))


@pytest.mark.parametrize("bits", [4, 8])
def test_the_wider_integers_are_the_narrow_ones(bits):
    file = one_product(12)
    buffer = widened(file, bits).model.Buffers(1)
    assert buffer._tab.Vector(buffer._tab.Offset(4)) % widen.ALIGNMENT == 0
    data = buffer.DataAsNumpy()
    if bits == 4:
        data = np.stack([data & 15, data >> 4], axis=1).reshape(-1)
        data = np.where(data > 7, data.astype(int) - 16, data)
    np.testing.assert_array_equal(data.astype(np.int8).reshape(UNITS, 12), integers(12))


@pytest.mark.parametrize("inputs", [6, 23])
def test_what_xnnpack_does_not_take_stays(inputs):
    """The built-in product sums in another order: results would differ in the last bit."""
    file = one_product(inputs)
    assert widened(file, 4) is file


@pytest.mark.parametrize(
    "kind",
    [
        schema.BuiltinOperator.EMBEDDING_LOOKUP,
        schema.BuiltinOperator.DEQUANTIZE,
        schema.BuiltinOperator.CONV_2D,
    ],
)
def test_what_another_operator_reads_stays(kind):
    """In its own graph or in another one: they have one buffer."""
    network = Network.empty()
    weights = network.buffer(packed(integers(64)))
    network.product(64, weights)
    alone = network.file()
    assert types(widened(alone, 4)) == [schema.TensorType.INT4]
    graph = network.graph()
    x = tensor(graph, [1], schema.TensorType.INT32)
    table = tensor(graph, [UNITS, 64], schema.TensorType.INT2, weights, (np.ones(UNITS), 0))
    y = tensor(graph, [1, 64], schema.TensorType.FLOAT32)
    inputs = [table] if kind == schema.BuiltinOperator.DEQUANTIZE else [x, table]
    network.operator(graph, kind, inputs, [y])
    assert widened(network.file(), 4).content == network.file().content


def test_tensors_of_another_type_or_read_from_outside_stay():
    for change in ("type", "output"):
        network = Network.empty()
        graph = network.product(64, network.buffer(packed(integers(64))))
        if change == "type":
            tensor(graph, [UNITS * 16], schema.TensorType.INT8, 1)
        else:
            graph.outputs = [*graph.outputs, 1]
        file = network.file()
        assert widened(file, 4) is file


def test_graphs_share_one_wider_copy():
    network = Network.empty()
    weights = network.buffer(packed(integers(512)))
    for _ in range(3):
        network.product(512, weights)
    network.product(8, network.buffer(packed(integers(8))))
    file = network.file()
    wide = widened(file, 8)
    assert types(wide) == [schema.TensorType.INT8] * 4
    added = len(wide.content) - len(file.content)
    assert UNITS * (512 + 8) <= added <= UNITS * (512 + 8) + 4 * widen.ALIGNMENT
    assert file.content == network.file().content  # is as it was
    narrow = [packed(integers(inputs)).tobytes() for inputs in (512, 8)]
    assert all(each in file.content for each in narrow)
    assert not any(each in wide.content for each in narrow)  # takes no memory


def test_equal_data_of_other_buffers_stay():
    """A writer may store equal vectors once: what else refers to one goes on to do so."""
    network = Network.empty()
    weights = packed(integers(64))
    network.product(64, network.buffer(weights))
    lookup = network.graph()
    table = tensor(lookup, [UNITS, 64], schema.TensorType.INT2, network.buffer(weights))
    lookup.outputs = [table]
    builder = SharingBuilder(1024)
    builder.Finish(network.model.Pack(builder), b"TFL3")
    shared = ModelFile(Path("model.tflite"), bytes(builder.Output()), False)
    assert len(shared.content) < len(network.file().content)
    for file in (shared, network.file()):
        wide = widened(file, 4)
        assert wide.model.Subgraphs(0).Tensors(1).Type() == schema.TensorType.INT4
        assert wide.model.Subgraphs(1).Tensors(0).Type() == schema.TensorType.INT2
        held = wide.model.Buffers(wide.model.Subgraphs(1).Tensors(0).Buffer())
        np.testing.assert_array_equal(held.DataAsNumpy(), weights)
        x = np.random.default_rng(0).standard_normal((ROWS, 64)).astype(np.float32)
        np.testing.assert_array_equal(output(wide, x), output(file, x))


def test_more_than_a_file_can_have(monkeypatch):
    file = one_product(512)
    monkeypatch.setattr(widen, "MOST_BYTES", len(file.content) + 3000)
    assert widened(file, 4) is not file
    with pytest.raises(UserError, match=r"model.tflite: more than .* with weights of 8 bits"):
        widened(file, 8)


def test_damaged_tables_are_refused():
    """Whatever byte outside of the weights is wrong."""
    file, rng = one_product(64), np.random.default_rng(0)
    refused = 0
    for _ in range(400):
        content = bytearray(file.content)
        content[rng.integers(len(content))] ^= 1 << rng.integers(8)
        damaged = dataclasses.replace(file, content=bytes(content))
        try:
            widened(damaged, 4)
        except UserError as error:
            assert "model.tflite: damaged or truncated" in str(error)
            refused += 1
    assert refused > 10


def test_auto_asks_for_the_instructions(monkeypatch, tmp_path):
    file = one_product(64)
    for flags, bits in {"sse2 avx2": 2, "avx2 avx512_vnni": 4}.items():
        (tmp_path / "cpuinfo").write_text(f"flags\t\t: {flags}\nflags\t\t: {flags}\n")
        monkeypatch.setattr(processor, "CPUINFO", tmp_path / "cpuinfo")
        assert types(as_computed(file)) == [{2: schema.TensorType.INT2, **widen.TYPES}[bits]]
        assert as_computed(file, "no") is file
        assert types(as_computed(file, 8)) == [schema.TensorType.INT8]
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "none")
    assert as_computed(file) is file


def test_what_cannot_be_asked_for():
    for wrong in (2, 16, "4", "yes"):
        with pytest.raises(UserError, match=rf"widen: {wrong!r}, expected 4, 8, 'no' or 'auto'"):
            as_computed(one_product(64), wrong)
    with pytest.raises(UserError, match=r"\.tflite: no 2-bit products to widen"):
        tflite_export.load(tones_file("ctc"), widen=4)
    assert arguments.WIDEN.keys() == {"auto", "no", *map(str, widen.TYPES)}
