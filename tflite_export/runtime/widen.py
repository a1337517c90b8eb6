"""2-bit weights of a `.tflite` widened in memory, where LiteRT computes faster with wider ones.

XNNPACK's products of 2-bit weights have narrower instructions than those of 4 and 8 bits: on x86 at
most AVX2 or AVX-VNNI, where the others have AVX-512. Integers, scales and the arithmetic are the
same at any width, and so is the result, to the bit. The file on the disk stays as it is.

The flatbuffer is patched, not written anew: a wider vector is appended for each buffer, whose table
refers to it from then on, and the types of its tensors are changed. That takes one copy, the
result, and milliseconds. The narrow vectors stay in it, unused.
"""

import dataclasses
import io
from collections.abc import Iterator
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from asr_qat.arrays import Array
from asr_qat.errors import require
from tflite_export.runtime.model_file import MOST_BYTES, ModelFile
from tflite_export.runtime.processor import has_instructions

Widen: TypeAlias = Literal["auto", "no"] | int
AUTO: Final = "auto"
NO: Final = "no"
NARROW = 2  # bits
TYPES = {4: schema.TensorType.INT4, 8: schema.TensorType.INT8}  # by the bits of a wider weight
# On x86 processors with these instructions 4 bits were measured to be faster than 2, see
# `results/two_bit_speed.md`. On ARM that is not known, and with its dot products XNNPACK rounds
# ties of the activations to even at 2 bits alone: results would not always be the same.
FASTER = "avx512_vnni"

KERNEL = 1  # which input of a product its weights are
PER_BYTE = 8 // NARROW  # weights; XNNPACK takes 2-bit products of a multiple of so many inputs
UOFFSET = np.dtype("<u4")  # of a reference, and of the length before a vector's data
ALIGNMENT = 16  # of the data of a buffer, bytes
TENSOR_TYPE, BUFFER_DATA = 6, 4  # slots of these fields, see the schema


def as_computed(file: ModelFile, widen: Widen = AUTO) -> ModelFile:
    """The file as LiteRT is to compute with it.

    Args:
        file: as it was read.
        widen: bits that 2-bit weights are widened to, 4 or 8; `no`; or `auto`: 4 where that was
            measured to be faster.

    Raises:
        UserError: another width, nothing to widen to it, or more bytes than a `.tflite` can have.
    """
    if widen == AUTO:
        bits = automatic_bits()
        most = len(file.content) * (1 + bits // NARROW)  # if it were nothing but such weights
        return widened(file, bits) if bits > NARROW and most <= MOST_BYTES else file
    if widen == NO:
        return file
    widths = ", ".join(map(str, TYPES))
    require(widen in TYPES, f"widen: {widen!r}, expected {widths}, {NO!r} or {AUTO!r}")
    found = widened(file, int(widen))
    require(found is not file, f"{file.path}: no 2-bit products to widen: leave that out")
    return found


def automatic_bits() -> int:
    """Of weights of 2 bits, as `auto` computes with them on this machine."""
    return 4 if has_instructions(FASTER) else NARROW


def widened(file: ModelFile, bits: int) -> ModelFile:
    """A file whose 2-bit products have wider weights; the same one if it has none.

    Args:
        file: as it was read.
        bits: 4 or 8.

    Raises:
        UserError: damaged, or it would have more bytes than a `.tflite` can.
    """
    try:
        weights = _weights(file.model)
    except Exception:  # the generated reader raises whatever the bytes lead it to
        raise file.damaged("its tables lead outside") from None
    added = sum(each.data.size * bits // NARROW + 2 * ALIGNMENT for each in weights)
    require(
        len(file.content) + added <= MOST_BYTES,
        f"{file.path}: more than a .tflite can have with weights of {bits} bits: widen: {NO!r}",
    )
    if not weights:
        return file
    return dataclasses.replace(file, content=_patched(file.content, weights, bits))


@dataclasses.dataclass(frozen=True)
class _Weights:
    """A buffer that nothing but 2-bit products has as its weights.

    Attributes:
        reference: where the file refers to its data.
        data: uint8, four integers each.
        types: where the types of its tensors are.
    """

    reference: int
    data: Array
    types: tuple[int, ...]


def _weights(model: schema.Model) -> list[_Weights]:
    codes = [model.OperatorCodes(i).BuiltinCode() for i in range(model.OperatorCodesLength())]
    types: dict[int, list[int]] = {}  # by buffer
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
    return [
        _Weights(_field(buffer, BUFFER_DATA), buffer.DataAsNumpy(), tuple(types[index]))
        for index in sorted(types.keys() - others)
        if not (buffer := model.Buffers(index)).DataIsNone()
    ]


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


def _patched(content: bytes, weights: list[_Weights], bits: int) -> bytes:
    stream, table = io.BytesIO(content), _wider(bits)
    written: dict[int, int] = {}  # where a vector's wider copy is: equal ones may be one
    for each in weights:
        narrow = each.data.ctypes.data
        if narrow not in written:
            end = stream.seek(0, io.SEEK_END)
            written[narrow] = end + -(end + UOFFSET.itemsize) % ALIGNMENT
            stream.seek(written[narrow])
            stream.write(UOFFSET.type(each.data.size * bits // NARROW).tobytes())
            stream.write(table[each.data].data.cast("B"))
        _overwrite(stream, each.reference, UOFFSET.type(written[narrow] - each.reference))
        for place in each.types:
            _overwrite(stream, place, np.int8(TYPES[bits]))
    return stream.getvalue()


def _overwrite(stream: io.BytesIO, place: int, value: np.generic) -> None:
    stream.seek(place)
    stream.write(value.tobytes())


def _wider(bits: int) -> Array:
    """The wider integers, as one number `[256]`, of the four in each byte, lowest bits first."""
    narrow = np.arange(256)[:, None] >> NARROW * np.arange(PER_BYTE) & 3
    values = np.where(narrow > 1, narrow - 4, narrow) & (1 << bits) - 1
    found: Array = (values << bits * np.arange(PER_BYTE)).sum(axis=1).astype(f"<u{bits // 2}")
    return found
