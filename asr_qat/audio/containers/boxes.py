"""Boxes of MP4, M4A, MOV and 3GP: whether they fill the file and each other.

Source: ISO/IEC 14496-12.
"""

import os
from typing import BinaryIO

from asr_qat.audio.containers.structure import Structure

# That hold nothing but boxes.
_PARENTS = {b"moov", b"trak", b"edts", b"mdia", b"minf", b"dinf", b"stbl", b"moof", b"traf"}
# Of which they hold at least one each.
_NEEDED: dict[bytes, tuple[tuple[bytes, ...], ...]] = {
    b"edts": ((b"elst",),),
    b"trak": ((b"tkhd",), (b"mdia",)),
    b"mdia": ((b"mdhd",), (b"hdlr",), (b"minf",)),
    b"minf": ((b"stbl",),),
    b"stbl": ((b"stsd",), (b"stts",), (b"stsc",), (b"stsz", b"stz2"), (b"stco", b"co64")),
}
_FIRST = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")  # of a file


def is_boxes(magic: bytes) -> bool:
    """Whether a file that begins so consists of boxes."""
    return magic[4:8] in _FIRST


def box_structure(file: BinaryIO) -> Structure:
    """The structure of a file of boxes."""
    end = file.seek(0, os.SEEK_END)
    parts = [(0, end, b"")]
    while parts:
        at, stop, parent = parts.pop()
        inside = set()
        while at < stop:
            file.seek(at)
            start, following, kind = _box(file.read(16), at, stop)
            if following > end:
                return Structure(cut=True)
            if not at < start <= following <= stop:
                return Structure(odd=f"no box that fits at byte {at}")
            if kind in _PARENTS:
                parts.append((start, following, kind))
            inside.add(kind)
            at = following
        for kinds in _NEEDED.get(parent, ()):
            if not inside.intersection(kinds):
                return Structure(odd=f"its box {parent.decode()} has no {kinds[0].decode()}")
    return Structure()


def _box(head: bytes, at: int, stop: int) -> tuple[int, int, bytes]:
    """Where its content begins and ends, and its kind; `(0, 0, b"")` if there is none."""
    if len(head) < 8:
        return 0, 0, b""
    size, kind = int.from_bytes(head[:4], "big"), head[4:8]
    if size == 0:  # to the end
        return at + 8, stop, kind
    if size == 1:  # in 64 bits
        return at + 16, at + int.from_bytes(head[8:16], "big"), kind
    return at + 8, at + size, kind
