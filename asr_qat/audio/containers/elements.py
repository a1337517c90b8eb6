"""Elements of Matroska and WebM: whether they fill the file and each other.

Sources: RFC 8794 (EBML), RFC 9559 (Matroska).
"""

import os
import zlib
from typing import BinaryIO

from asr_qat.audio.containers.structure import Structure

MAGIC = b"\x1a\x45\xdf\xa3"
_CLUSTER, _SEGMENT = 0x1F43B675, 0x18538067
# That hold nothing but elements: header, segment, seek head, info, tracks, a track, its audio,
# a cluster, a group of blocks, cues, a cue, tags, a tag.
_PARENTS = {0x1A45DFA3, _SEGMENT, 0x114D9B74, 0x1549A966, 0x1654AE6B, 0xAE, 0xE1}
_PARENTS |= {_CLUSTER, 0xA0, 0x1C53BB6B, 0xBB, 0x1254C367, 0x7373}
_CHECKSUM = 0xBF
_MOST_CHECKED = 1 << 24  # bytes of an element whose checksum is computed


def element_structure(file: BinaryIO) -> Structure:
    """The structure of a file that begins with `MAGIC`."""
    end = file.seek(0, os.SEEK_END)
    parts = [(0, end)]
    while parts:
        at, stop = parts.pop()
        while at < stop:
            file.seek(at)
            head = file.read(12)
            found = _element(head, at, stop)
            if found is None:
                return Structure(odd=f"no element at byte {at}")
            kind, start, following = found
            if following > end:
                return Structure(cut=True)
            if following > stop:
                return Structure(odd=f"no element that fits at byte {at}")
            if kind == _CHECKSUM and not _is_right(file, start, following, stop):
                return Structure(damage=f"its checksum at byte {at} is of other bytes")
            if kind in _PARENTS:
                parts.append((start, following))
            at = following
    return Structure()


def _element(head: bytes, at: int, stop: int) -> tuple[int, int, int] | None:
    """Its kind, and where its content begins and ends; None if there is none."""
    width = 9 - head[0].bit_length()
    if width > 4 or len(head) <= width:
        return None
    size_width = 9 - head[width].bit_length()
    start = width + size_width
    if size_width > 8 or len(head) < start:
        return None
    size = int.from_bytes(head[width:start], "big") & (1 << 7 * size_width) - 1
    unknown = size == (1 << 7 * size_width) - 1  # of a stream: to the end
    kind = int.from_bytes(head[:width], "big")
    return kind, at + start, stop if unknown else at + start + size


def _is_right(file: BinaryIO, start: int, following: int, stop: int) -> bool:
    """Whether a checksum is that of all that follows it within its parent."""
    if following - start != 4 or stop - following > _MOST_CHECKED:
        return following - start == 4
    file.seek(start)
    checksum = int.from_bytes(file.read(4), "little")
    return zlib.crc32(file.read(stop - following)) == checksum
