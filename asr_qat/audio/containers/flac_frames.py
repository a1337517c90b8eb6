"""FLAC: what its header says, and its last frame, which knows how many samples there are.

libsndfile compares neither them nor the checksum of all samples. Source: RFC 9639.
"""

import dataclasses
import os
import re
from typing import BinaryIO, NamedTuple

from asr_qat.audio.containers.structure import Structure

_TAIL = 1 << 17  # bytes in which the last frame is looked for
_BLOCK = 1 << 20  # bytes that are read together
_MOST_TRIED = 16  # of what may be its beginning
_MOST_HEADER = 16  # bytes of a frame
_INFO = 8  # bytes before the content of STREAMINFO, of 34
_SYNC = re.compile(rb"\xff[\xf8\xf9]")


def _crc_table(polynomial: int, bits: int) -> list[int]:
    table, top, mask = [], 1 << (bits - 1), (1 << bits) - 1
    for byte in range(256):
        value = byte << (bits - 8)
        for _ in range(8):
            value = (value << 1 ^ polynomial if value & top else value << 1) & mask
        table.append(value)
    return table


_CRC_8, _CRC_16 = _crc_table(0x07, 8), _crc_table(0x8005, 16)


@dataclasses.dataclass(frozen=True)
class StreamInfo:
    """What the header says.

    Attributes:
        block: samples of a frame, if all but the last one have as many; else 0.
        samples: of each channel; 0 if that was not known.
        md5: of all samples; zeros if that was not known.
    """

    block: int
    samples: int
    md5: bytes


def stream_info(file: BinaryIO, start: int = 0) -> StreamInfo | None:
    """Read it from a file in which FLAC begins at a byte; None if it is none."""
    file.seek(start)
    head = file.read(_INFO + 34)
    if len(head) < _INFO + 34 or head[:4] != b"fLaC":
        return None
    info = head[_INFO:]
    least, most = int.from_bytes(info[:2], "big"), int.from_bytes(info[2:4], "big")
    packed = int.from_bytes(info[10:18], "big")  # 20 bits of rate, 3 of channels, 5, 36
    return StreamInfo(most if least == most else 0, packed & (1 << 36) - 1, info[18:34])


def flac_structure(file: BinaryIO, start: int = 0) -> Structure:
    """The structure of a file in which FLAC begins at a byte."""
    info = stream_info(file, start)
    if info is None:
        return Structure(damage="its header is not whole")
    last, md5 = last_sample(file, info), info.md5.strip(b"\0") and info.md5
    if last is not None and info.samples > last:
        return Structure(cut=True)
    if last is not None and info.samples not in (0, last):
        return Structure(damage=f"its header says {info.samples} samples, its last frame {last}")
    if last is not None and not md5 and _samples_in_turn(file, info) < last:
        return Structure(damage="frames are missing")
    return Structure(samples=last, md5=md5)


def last_sample(file: BinaryIO, info: StreamInfo) -> int | None:
    """Samples of each channel up to the end of the last frame; None if the file ends otherwise."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - _TAIL))
    tail, tried = file.read(), 0
    for match in reversed(list(_SYNC.finditer(tail))):
        begin = match.start()
        frame = _frame(tail[begin : begin + _MOST_HEADER], info)
        if frame is None:
            continue
        tried += 1
        if _crc(tail[begin:], _CRC_16, 16) == 0:
            return frame.first + frame.samples
        if tried == _MOST_TRIED:
            return None
    return None


def _samples_in_turn(file: BinaryIO, info: StreamInfo) -> int:
    """Samples of each channel up to the first frame that is missing.

    libFLAC gives silence for those. Where the samples have a checksum that is noticed anyway.
    """
    found, rest = 0, b""
    file.seek(0)
    while block := file.read(_BLOCK):
        content = rest + block
        rest = content[-_MOST_HEADER:] if len(block) == _BLOCK else b""
        for match in _SYNC.finditer(content, 0, len(content) - len(rest) + 1):
            frame = _frame(content[match.start() : match.start() + _MOST_HEADER], info)
            if frame is not None and frame.first == found:
                found += frame.samples
    return found


class _Frame(NamedTuple):
    """Number of its first sample, and how many it has of each channel."""

    first: int
    samples: int


def _frame(frame: bytes, info: StreamInfo) -> _Frame | None:
    """The frame that begins with these bytes; None if none does."""
    if len(frame) < 6 or frame[3] & 1:
        return None
    size_code, rate_code = frame[2] >> 4, frame[2] & 15
    length = max(1, 8 - (frame[4] ^ 0xFF).bit_length())  # of the number, as in UTF-8
    if length == 8 or size_code == 0 or rate_code == 15:
        return None
    number = frame[4] if frame[4] < 0x80 else frame[4] & (0x7F >> length)
    for byte in frame[5 : 4 + length]:
        number = number << 6 | byte & 0x3F
    at = 4 + length
    size_bytes = {6: 1, 7: 2}.get(size_code, 0)
    if size_bytes:
        samples = int.from_bytes(frame[at : at + size_bytes], "big") + 1
    elif size_code == 1:
        samples = 192
    else:
        samples = 576 << size_code - 2 if size_code < 6 else 256 << size_code - 8
    at += size_bytes + {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if len(frame) <= at or _crc(frame[: at + 1], _CRC_8, 8) != 0:
        return None
    variable = frame[1] & 1 == 1  # each frame has the number of its first sample
    if not variable and not info.block:
        return None
    return _Frame(number if variable else number * info.block, samples)


def _crc(content: bytes, table: list[int], bits: int) -> int:
    value, shift, mask = 0, bits - 8, (1 << bits) - 1
    for byte in content:
        value = (value << 8 ^ table[value >> shift ^ byte]) & mask
    return value
