"""2-bit weights of a `.tflite` widened in memory, where LiteRT computes faster with wider ones.

XNNPACK's products of 2-bit weights have narrower instructions than those of 4 and 8 bits: on x86 at
most AVX2 or AVX-VNNI, where the others have AVX-512. Integers, scales and the arithmetic are the
same at any width, and so is the result, to the bit. The file on the disk stays as it is.

The flatbuffer is patched, not written anew: wider weights are appended, buffers refer to them from
then on, and the types of their tensors are changed. There is no copy but the result. It takes some
tens of milliseconds or more, see `results/two_bit_speed.md`. Where the narrow weights were there
are zeros, which are never written: the system gives their pages no memory.
"""

import dataclasses
import io
from typing import Final, Literal, TypeAlias

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from asr_qat.arrays import Array
from asr_qat.errors import require
from tflite_export.runtime.model_file import MOST_BYTES, ModelFile
from tflite_export.runtime.narrow_weights import NARROW, PER_BYTE, NarrowWeights, narrow_weights
from tflite_export.runtime.processor import has_instructions

Widen: TypeAlias = Literal["auto", "no"] | int
AUTO: Final = "auto"
NO: Final = "no"
TYPES = {4: schema.TensorType.INT4, 8: schema.TensorType.INT8}  # by the bits of a wider weight
# On x86 processors with these instructions 4 bits were measured to be faster than 2, see
# `results/two_bit_speed.md`. On ARM that is not known, and with its dot products XNNPACK rounds
# ties of the activations to even at 2 bits alone: results would not always be the same.
FASTER = "avx512_vnni"

UOFFSET = np.dtype("<u4")  # of a reference, and of the length before a vector's data
ALIGNMENT = 16  # of the data of a buffer, bytes


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
        weights = narrow_weights(file.model)
    except Exception:  # the generated reader raises whatever the bytes lead it to
        raise file.damaged("its tables lead outside") from None
    if not weights:
        return file
    size, places = _places(len(file.content), weights, bits // NARROW)
    require(
        size <= MOST_BYTES,
        f"{file.path}: more than a .tflite can have with weights of {bits} bits: widen: {NO!r}",
    )
    stream = io.BytesIO(bytes(size))
    with stream.getbuffer() as view:
        _write(view, file.content, weights, places, bits)
    return dataclasses.replace(file, content=stream.getvalue())


def _places(size: int, weights: list[NarrowWeights], times: int) -> tuple[int, dict[int, int]]:
    """The size of a file with wider weights, and where they begin, by where the narrow ones do.

    Args:
        size: before, bytes.
        weights: the narrow ones. Buffers of equal data may have one place.
        times: how much wider the others are.
    """
    places: dict[int, int] = {}
    for each in weights:
        if each.data.start not in places:
            size += -(size + UOFFSET.itemsize) % ALIGNMENT
            places[each.data.start] = size
            size += UOFFSET.itemsize + times * each.bytes
    return size, places


def _write(
    view: memoryview,
    content: bytes,
    weights: list[NarrowWeights],
    places: dict[int, int],
    bits: int,
) -> None:
    """Fill the bytes of a widened file, which are zeros."""
    whole, own, table = (
        np.frombuffer(view, np.uint8),
        np.frombuffer(content, np.uint8),
        _wider(bits),
    )
    written = 0
    for gap in sorted((each.data for each in weights if each.alone), key=lambda data: data.start):
        whole[written : gap.start] = own[written : gap.start]
        written = max(written, gap.stop)
    whole[written : len(own)] = own[written:]
    for each in weights:
        place = places[each.data.start]
        size = each.bytes * bits // NARROW
        data = whole[place + UOFFSET.itemsize :][:size].view(table.dtype)
        table.take(own[each.data], out=data, mode="clip")
        for at, value in ((place, size), (each.reference, place - each.reference)):
            whole[at : at + UOFFSET.itemsize].view(UOFFSET)[0] = value
        whole[list(each.types)] = TYPES[bits]


def _wider(bits: int) -> Array:
    """The wider integers, as one number `[256]`, of the four in each byte, lowest bits first."""
    narrow = np.arange(256)[:, None] >> NARROW * np.arange(PER_BYTE) & 3
    values = np.where(narrow > 1, narrow - 4, narrow) & (1 << bits) - 1
    found: Array = (values << bits * np.arange(PER_BYTE)).sum(axis=1).astype(f"<u{bits // 2}")
    return found
