"""Chunks of WAV, RF64, W64, AIFF and CAF: whether they fill the file.

Sources: Microsoft and IBM, Multimedia Programming Interface 1.0 (RIFF); EBU Tech 3306 (RF64);
Sonic Foundry, Wave64; Apple, Audio Interchange File Format 1.3 and Core Audio Format.
"""

import dataclasses
import os
import struct
from typing import BinaryIO, NamedTuple

from asr_qat.audio.containers.sample_layout import LAYOUTS, Layout
from asr_qat.audio.containers.structure import Structure

_SOUND = (b"data", b"SSND")  # names of the chunk that holds the samples
_MOST_BYTES = 64  # of a chunk that describes them


@dataclasses.dataclass(frozen=True)
class _Family:
    """How chunks lie in a file.

    Attributes:
        header: of a chunk: its name and its size.
        first: byte of the file at which the first one begins.
        align: a chunk begins at a multiple of that many bytes.
        counts_header: whether the size of a chunk includes its header.
        unknown: a size from here on was not known to its writer, who wrote to a pipe.
        described: name of the chunk that describes the samples.
        before: bytes of the chunk of samples before the first one.
    """

    header: struct.Struct
    first: int
    align: int
    described: bytes
    counts_header: bool = False
    unknown: int = 0x7FFFF000
    before: int = 0


_RIFF = _Family(struct.Struct("<4sI"), 12, 2, b"fmt ")
_FAMILIES = {
    b"RIFF": _RIFF,
    b"RF64": _RIFF,
    b"RIFX": _Family(struct.Struct(">4sI"), 12, 2, b"fmt "),
    b"FORM": _Family(struct.Struct(">4sI"), 12, 2, b"COMM", before=8),
    b"caff": _Family(struct.Struct(">4sq"), 8, 1, b"desc", unknown=1 << 62, before=4),
    b"riff": _Family(struct.Struct("<16sQ"), 40, 8, b"fmt ", True, 1 << 62),  # W64
}


class _Chunk(NamedTuple):
    """Its name, the first byte of its content, and how many; None if that was not known."""

    name: bytes
    start: int
    size: int | None


def chunk_structure(file: BinaryIO, magic: bytes) -> Structure:
    """The structure of a file that begins with `magic`: RIFF, RIFX, RF64, FORM, caff or riff."""
    family, end = _FAMILIES[magic], file.seek(0, os.SEEK_END)
    chunks, after = _chunks(file, family, end)
    layout = _layout(file, family, magic, chunks)
    sound = next((chunk for chunk in chunks if chunk.name in _SOUND), None)
    outer_end, odd = _outer_end(file, magic), layout.odd
    cut = outer_end > end + 1
    if not odd and 0 < outer_end < end - 1:
        odd = f"its header says that it ends after {outer_end} of {end} bytes"
    if sound is None or sound.size is None:
        return Structure(cut=cut, odd=odd)
    if sound.start + sound.size > end:
        return Structure(cut=True, odd=odd)
    padded = after % 2 and end == after + 1
    if not layout.odd and end > after and not padded:
        odd = f"its last {end - after} bytes are no chunk, and are not read"
    size = sound.size - family.before
    if magic == b"FORM":
        file.seek(sound.start)
        size -= int.from_bytes(file.read(4), "big")  # an offset
    samples = size // layout.block if layout.block else None
    if samples is not None and layout.samples is not None and layout.samples > samples:
        return Structure(cut=True, odd=odd)
    return Structure(samples=samples, cut=cut, odd=odd)


def _chunks(file: BinaryIO, family: _Family, end: int) -> tuple[list[_Chunk], int]:
    """All chunks, and the byte after the last one."""
    chunks: list[_Chunk] = []
    at, long_size = family.first, None
    while at + family.header.size <= end:
        file.seek(at)
        name, size = family.header.unpack(file.read(family.header.size))
        name, start = name[:4], at + family.header.size
        if not all(32 <= letter < 127 for letter in name):
            break
        if family.counts_header:
            size -= family.header.size
        if name == b"ds64":  # of RF64: the size of the samples, in 64 bits
            long_size = int.from_bytes(file.read(16)[8:], "little")
        if name in _SOUND and size == 0xFFFFFFFF and long_size:
            size = long_size
        # Of what was never closed the size is 0 as well.
        if name in _SOUND and (size <= 0 or size >= family.unknown):
            return [*chunks, _Chunk(name, start, None)], end
        if size < 0 or (name not in _SOUND and start + size > end):
            break
        chunks.append(_Chunk(name, start, size))
        at = start + size
        at += -at % family.align
    return chunks, at


def _layout(file: BinaryIO, family: _Family, magic: bytes, chunks: list[_Chunk]) -> Layout:
    for chunk in chunks:
        if chunk.name == family.described:
            file.seek(chunk.start)
            return LAYOUTS[chunk.name](file.read(min(chunk.size or 0, _MOST_BYTES)), magic)
    return Layout()


def _outer_end(file: BinaryIO, magic: bytes) -> int:
    """Where the file ends as its first header says; 0 if that is not known."""
    file.seek(4)
    if magic not in (b"RIFF", b"RIFX", b"FORM"):
        return 0
    size = int.from_bytes(file.read(4), "little" if magic == b"RIFF" else "big")
    return 8 + size if 0 < size < _RIFF.unknown else 0
