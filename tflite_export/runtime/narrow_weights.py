"""The 2-bit weights of a `.tflite` that can be widened, and where they lie in its bytes."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from ai_edge_litert import schema_py_generated as schema

NARROW = 2  # bits
PER_BYTE = 8 // NARROW  # weights; XNNPACK takes 2-bit products of a multiple of so many inputs
KERNEL = 1  # which input of a product its weights are
TENSOR_TYPE, BUFFER_DATA = 6, 4  # slots of these fields, see the schema


@dataclasses.dataclass(frozen=True)
class NarrowWeights:
    """A buffer that nothing but 2-bit products has as its weights.

    Attributes:
        reference: where the file refers to its data.
        data: where these lie, four integers to a byte.
        types: where the types of its tensors are.
        alone: whether no other buffer refers to the same data, as equal ones may.
    """

    reference: int
    data: slice
    types: tuple[int, ...]
    alone: bool

    @property
    def bytes(self) -> int:
        """Of the data."""
        return int(self.data.stop - self.data.start)


def narrow_weights(model: schema.Model) -> list[NarrowWeights]:
    """All of them, wherever their tensors are: signatures share buffers.

    Raises:
        ValueError: data that lie outside; or whatever the generated reader raises.
    """
    types = _types_by_buffer(model)
    buffers = {i: model.Buffers(i) for i in range(model.BuffersLength())}
    data = {i: _data(buffer) for i, buffer in buffers.items() if not buffer.DataIsNone()}
    others = {place.start for i, place in data.items() if i not in types}
    return [
        NarrowWeights(
            reference=_field(buffers[index], BUFFER_DATA),
            data=data[index],
            types=tuple(types[index]),
            alone=data[index].start not in others,
        )
        for index in sorted(types.keys() & data.keys())
    ]


def _types_by_buffer(model: schema.Model) -> dict[int, list[int]]:
    """Where the types of the tensors of each buffer are."""
    codes = [model.OperatorCodes(i).BuiltinCode() for i in range(model.OperatorCodesLength())]
    types: dict[int, list[int]] = {}
    others: set[int] = set()  # buffers that something else reads, too
    for i in range(model.SubgraphsLength()):
        graph = model.Subgraphs(i)
        tensors = [graph.Tensors(j) for j in range(graph.TensorsLength())]
        narrow = {j for j, tensor in enumerate(tensors) if _is_narrow(tensor)}
        for j, tensor in enumerate(tensors):
            if j in narrow:
                types.setdefault(tensor.Buffer(), []).append(_field(tensor, TENSOR_TYPE))
            else:
                others.add(tensor.Buffer())
        if narrow:
            others |= {tensors[j].Buffer() for j in narrow & set(_read_otherwise(graph, codes))}
    return {buffer: places for buffer, places in types.items() if buffer not in others}


def _is_narrow(tensor: schema.Tensor) -> bool:
    """Whether XNNPACK takes it as the 2-bit weights `[units, inputs]` of a product."""
    if tensor.Type() != schema.TensorType.INT2 or tensor.ShapeLength() != 2:
        return False
    return bool(tensor.Shape(1) % PER_BYTE == 0)


def _read_otherwise(graph: schema.SubGraph, codes: list[int]) -> Iterator[int]:
    """The tensors that are read in other places than that of a product's weights.

    Args:
        graph: that reads them.
        codes: kinds of its operators, by their index.
    """
    yield from _indices(graph.OutputsAsNumpy())
    for i in range(graph.OperatorsLength()):
        operator = graph.Operators(i)
        product = codes[operator.OpcodeIndex()] == schema.BuiltinOperator.FULLY_CONNECTED
        for place, index in enumerate(_indices(operator.InputsAsNumpy())):
            if not (product and place == KERNEL):
                yield index


def _indices(vector: Any) -> list[int]:
    """Of tensors; a vector that is not there is read as 0."""
    return [] if isinstance(vector, int) else vector.tolist()


def _field(table: Any, slot: int) -> int:
    """Where a field of a table lies, which is not its default."""
    return int(table._tab.Pos + table._tab.Offset(slot))


def _data(buffer: schema.Buffer) -> slice:
    start = int(buffer._tab.Vector(buffer._tab.Offset(BUFFER_DATA)))
    stop = start + int(buffer.DataLength())
    if stop > len(buffer._tab.Bytes):
        raise ValueError("short buffer")
    return slice(start, stop)
