"""What is inside a `.tflite` file, byte by byte and operator by operator."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from asr_qat.decoding.live_format import CASCADE, CAUSAL, LiveFormat
from tflite_export.runtime.layer_scopes import layer_of
from tflite_export.runtime.metadata import metadata_of
from tflite_export.runtime.model_file import ModelFile
from tflite_export.score.contents import (
    ByteParts,
    Constant,
    Contents,
    DelegatedGraph,
    LiveFacts,
    Recorded,
)
from tflite_export.score.delegation import delegation
from tflite_export.score.rows import combine
from tflite_export.score.wire import wire_bytes

LARGEST = 10  # float tensors that are listed
FOLDED_TABLE_BYTES = 64 * 1024  # a float constant above this should be a layer's kernel
OTHER = "other"  # the layer of constants that belong to no product
DENSE = "FULLY_CONNECTED"
KERNEL_INPUT = {DENSE: 1, "CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "CONV_3D": 1, "TRANSPOSE_CONV": 1}
BIAS_INPUT = 2

FLOAT_TYPES = ("FLOAT64", "FLOAT32", "FLOAT16", "BFLOAT16")
WIDTHS = (32, 16, 8, 4, 2)  # bits
WIDTH_OF = {
    "FLOAT64": 64, "INT64": 64, "UINT64": 64, "FLOAT32": 32, "INT32": 32, "UINT32": 32,
    "FLOAT16": 16, "BFLOAT16": 16, "INT16": 16, "UINT16": 16, "INT8": 8, "UINT8": 8, "BOOL": 8,
    "INT4": 4, "UINT4": 4, "INT2": 2,
}  # fmt: skip

_TYPES = {code: name for name, code in vars(schema.TensorType).items() if isinstance(code, int)}
_OPERATORS = {
    code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)
}


def inspect(path: str | Path, verify: bool = True) -> Contents:
    """Take a `.tflite` apart.

    Args:
        path: of the file.
        verify: refuse one whose checksum is wrong.

    Raises:
        UserError: no such file, not a `.tflite`, or damaged.
    """
    file = ModelFile.read(path, verify)
    recorded = _recorded(file)
    try:
        return _contents(file, recorded)
    except Exception as error:  # the generated reader raises whatever the bytes lead it to
        raise file.damaged("its graph makes no sense") from error


def _contents(file: ModelFile, recorded: Recorded) -> Contents:
    model = flatbuffer_utils.read_model_from_bytearray(file.content)
    names = _operator_names(model)
    constants = _constants(model, names)
    floats = sorted((c for c in constants if c.type in FLOAT_TYPES), key=lambda c: -c.bytes)
    graphs = _graphs(model)
    operators = {
        signature: Counter(names[o.opcodeIndex] for o in graph.operators)
        for signature, graph in graphs.items()
    }
    total: Counter[str] = sum(operators.values(), Counter())
    return combine(
        Contents,
        recorded,
        name=file.path.name,
        path=str(file.path),
        bytes=len(file.content),
        wire_bytes=wire_bytes(file.content),
        bytes_by_part=_parts(file, sum(c.bytes for c in constants)),
        bytes_by_type=_sums((c.type, c.bytes) for c in constants),
        bytes_by_layer=_sums((c.layer, c.bytes) for c in constants),
        tensor_types=dict(
            Counter(_TYPES[t.type] for g in model.subgraphs for t in g.tensors).most_common()
        ),
        operators={
            **{signature: dict(found.most_common()) for signature, found in operators.items()},
            "total": dict(total.most_common()),
        },
        custom_operators=_custom_operators(model),
        weight_widths={
            "dense": _width_shares([c for c in constants if c.used_by == DENSE and c.kernel]),
            "all": _width_shares(constants),
        },
        delegated={
            signature: _delegated(model, graph, names) for signature, graph in graphs.items()
        },
        largest_float=tuple(c.listed() for c in floats[:LARGEST]),
        folded_tables=tuple(
            c.listed() for c in floats if c.bytes > FOLDED_TABLE_BYTES and not c.kernel
        ),
    )


def _recorded(file: ModelFile) -> Recorded:
    metadata = metadata_of(file)
    if metadata is None:
        return Recorded()
    return Recorded(
        precision=metadata.precision,
        widths=metadata.widths,
        method=metadata.method,
        full_integer=metadata.full_integer,
        live=_streams(metadata.live) if metadata.live else None,
        source=metadata.source,
        normalizer=metadata.normalizer,
    )


def _streams(live: LiveFormat) -> LiveFacts:
    first, second = live.delays_ms
    return LiveFacts(
        chunk_ms=tuple(frames * live.frame_ms for frames in live.chunks),
        left_context_ms=live.left_context * live.frame_ms,
        look_ahead_ms={CAUSAL: first, CASCADE: second - first},
        latency_ms={"first": first, "second": second},
    )


def _operator_names(model: schema.ModelT) -> list[str]:
    """Name of each operator code; custom operators by their own name."""
    names = []
    for code in model.operatorCodes:
        number = max(code.builtinCode, code.deprecatedBuiltinCode)
        custom = number == schema.BuiltinOperator.CUSTOM
        names.append(code.customCode.decode() if custom else _OPERATORS[number])
    return names


def _custom_operators(model: schema.ModelT) -> tuple[str, ...]:
    codes = model.operatorCodes
    return tuple(sorted(code.customCode.decode() for code in codes if code.customCode))


def _graphs(model: schema.ModelT) -> dict[str, schema.SubGraphT]:
    """Subgraphs by the name of their signature."""
    signatures = {s.subgraphIndex: s.signatureKey.decode() for s in model.signatureDefs or []}
    return {
        signatures.get(index, f"subgraph_{index}"): graph
        for index, graph in enumerate(model.subgraphs)
    }


def _constants(model: schema.ModelT, names: list[str]) -> list[Constant]:
    """Every vector of constants, once, with an operator that uses it.

    Tensors share buffers, and equal buffers one vector: what counts is the address.
    """
    found: dict[int, Constant] = {}
    for graph in model.subgraphs:
        uses = _uses(graph, names)
        for index, tensor in enumerate(graph.tensors):
            data = model.buffers[tensor.buffer].data
            if data is None or data.ctypes.data in found:
                continue
            operator, position = uses.get(index, (None, -1))
            used_by = names[operator.opcodeIndex] if operator else ""
            found[data.ctypes.data] = Constant(
                type=_TYPES[tensor.type],
                shape=() if tensor.shape is None else tuple(int(n) for n in tensor.shape),
                bytes=len(data),
                used_by=used_by,
                kernel=KERNEL_INPUT.get(used_by) == position,
                layer=_layer(graph, operator, position) if operator else OTHER,
            )
    return list(found.values())


def _uses(graph: schema.SubGraphT, names: list[str]) -> dict[int, tuple[schema.OperatorT, int]]:
    """First operator that reads each tensor, and at which input; DEQUANTIZE is looked through."""
    uses: dict[int, tuple[schema.OperatorT, int]] = {}
    for operator in reversed(graph.operators):
        for position, index in enumerate(operator.inputs):
            use = (operator, position)
            if names[operator.opcodeIndex] == "DEQUANTIZE":
                use = uses.get(int(operator.outputs[0]), use)
            uses[int(index)] = use
    return uses


def _layer(graph: schema.SubGraphT, operator: schema.OperatorT, position: int) -> str:
    """Layer of a product's kernel or bias, from the product's name."""
    name = (graph.tensors[operator.outputs[0]].name or b"").decode().partition("@")[0]
    labelled = name.endswith("/product") and position in (KERNEL_INPUT[DENSE], BIAS_INPUT)
    return layer_of(name.removesuffix("/product")) if labelled else OTHER


def _parts(file: ModelFile, constants: int) -> ByteParts:
    """Bytes of the parts that make up the file; a vector used twice counts once."""
    model = file.model
    entries = [model.Metadata(i) for i in range(model.MetadataLength())]
    metadata = sum(model.Buffers(entry.Buffer()).DataLength() for entry in entries)
    quantization = sum(_quantization_vectors(model).values())
    return ByteParts(
        constants=constants,
        metadata=metadata,
        quantization=quantization,
        graph=len(file.content) - constants - metadata - quantization,
    )


def _quantization_vectors(model: schema.Model) -> dict[int, int]:
    """Bytes of each vector of scales or zero points, by its address."""
    vectors = {}
    for g in range(model.SubgraphsLength()):
        graph = model.Subgraphs(g)
        for t in range(graph.TensorsLength()):
            parameters = graph.Tensors(t).Quantization()
            if parameters is None or parameters.ScaleIsNone() or parameters.ZeroPointIsNone():
                continue
            for vector in (parameters.ScaleAsNumpy(), parameters.ZeroPointAsNumpy()):
                vectors[vector.ctypes.data] = vector.nbytes
    return vectors


def _sums(sizes: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Bytes by name, largest first."""
    sums: Counter[str] = Counter()
    for name, size in sizes:
        sums[name] += size
    return dict(sums.most_common())


def _width_shares(constants: list[Constant]) -> dict[str, float]:
    """Share of the elements at each width in bits."""
    elements = dict.fromkeys(WIDTHS, 0)
    for constant in constants:
        width = WIDTH_OF[constant.type]
        elements[width] = elements.get(width, 0) + int(np.prod(constant.shape))
    total = max(sum(elements.values()), 1)
    return {str(width): elements[width] / total for width in sorted(elements, reverse=True)}


def _delegated(
    model: schema.ModelT, graph: schema.SubGraphT, names: list[str]
) -> DelegatedGraph | None:
    try:
        found = delegation(model, graph)
    except RuntimeError:
        return None
    rest = Counter(
        names[operator.opcodeIndex]
        for index, operator in enumerate(graph.operators)
        if index not in found.operators
    )
    return DelegatedGraph(
        operators=len(graph.operators),
        delegated=len(found.operators),
        share=len(found.operators) / max(len(graph.operators), 1),
        partitions=found.partitions,
        rest=dict(rest.most_common()),
    )
