"""Pages of Ogg: each has a checksum and a number, and the last one says so.

libogg leaves out a damaged page without a word. Source: RFC 3533.
"""

import struct
import zlib
from typing import BinaryIO

from asr_qat.audio.containers.structure import Structure

_HEADER = struct.Struct("<4sBBqIIIB")
_CHECKSUM = slice(22, 26)  # of the header
_LAST = 4  # flag of a page
# zlib has the same polynomial for bits in the other order.
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def ogg_structure(file: BinaryIO) -> Structure:
    """The structure of a file that begins with `OggS`."""
    numbers: dict[int, int] = {}  # of the last page, by stream
    open_streams: set[int] = set()
    file.seek(0)
    at = 0
    while header := file.read(_HEADER.size):
        if len(header) < _HEADER.size:
            return Structure(cut=True)
        magic, _, flags, _, stream, number, checksum, lacing = _HEADER.unpack(header)
        if magic != b"OggS":
            return Structure(damage=f"no page at byte {at}")
        sizes = file.read(lacing)
        body = file.read(sum(sizes))
        if len(sizes) < lacing or len(body) < sum(sizes):
            return Structure(cut=True)
        if page_checksum(header + sizes + body) != checksum:
            return Structure(damage=f"the page at byte {at} has not its checksum")
        if number != numbers.get(stream, -1) + 1:
            return Structure(damage=f"pages are missing or repeated before byte {at}")
        if stream not in numbers and numbers and not open_streams:
            return Structure(odd="several recordings one after the other: the first one is read")
        numbers[stream] = number
        open_streams.add(stream)
        if flags & _LAST:
            open_streams.remove(stream)
        at = file.tell()
    return Structure(cut=bool(open_streams))


def page_checksum(page: bytes) -> int:
    """Of a page, whatever checksum it has: CRC-32 of 0x04C11DB7, from 0, not reflected."""
    plain = bytearray(page)
    plain[_CHECKSUM] = bytes(4)
    value = ~zlib.crc32(plain.translate(_REVERSED), 0xFFFFFFFF) & 0xFFFFFFFF
    return int(f"{value:032b}"[::-1], 2)
