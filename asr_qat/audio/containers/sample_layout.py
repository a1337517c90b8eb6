"""How samples lie in WAV, AIFF and CAF, and whether a header agrees with itself about that."""

import struct
from collections.abc import Callable
from typing import NamedTuple

PCM, ADPCM, FLOAT, A_LAW, MU_LAW, IMA, EXTENSIBLE = 1, 2, 3, 6, 7, 0x11, 0xFFFE  # of WAV
_BITS = {ADPCM: (4,), FLOAT: (32, 64), A_LAW: (8,), MU_LAW: (8,), IMA: (4,)}
_ONE_BY_ONE = (PCM, FLOAT, A_LAW, MU_LAW, EXTENSIBLE)  # other encodings have blocks


class Layout(NamedTuple):
    """What a header says of its samples.

    Attributes:
        block: bytes of one sample of all channels; None if they are not stored one by one.
        samples: of each channel, if it says so.
        odd: what contradicts itself; empty if nothing does.
    """

    block: int | None = None
    samples: int | None = None
    odd: str = ""


def wave_layout(content: bytes, magic: bytes) -> Layout:
    """Of the chunk `fmt ` of WAV and W64."""
    if len(content) < 16:
        return Layout()
    order = ">" if magic == b"RIFX" else "<"
    tag, channels, rate, byte_rate, block, bits = struct.unpack(f"{order}HHIIHH", content[:16])
    if tag in _BITS and bits not in _BITS[tag]:
        return Layout(odd=f"samples of {bits} bits in an encoding that has none")
    if tag not in _ONE_BY_ONE:
        return Layout()
    own = channels * ((bits + 7) // 8)
    if own != block:
        odd = f"{block} bytes for a sample of {bits} bits and {channels} channels"
    elif rate * block != byte_rate:
        odd = f"{byte_rate} bytes a second, but {rate} samples of {block} bytes"
    else:
        return Layout(own)
    return Layout(own or None, odd=odd)


def aiff_layout(content: bytes, magic: bytes) -> Layout:
    """Of the chunk `COMM`; `magic` is as in the others."""
    if len(content) < 18:
        return Layout()
    channels, samples, bits = struct.unpack(">hIh", content[:8])
    integers = (b"NONE", b"sowt", b"twos", b"raw ", b"in24", b"in32", b"fl32", b"FL32")
    if len(content) >= 22 and content[18:22] not in integers:
        return Layout()
    return Layout(max(0, channels) * ((bits + 7) // 8) or None, samples)


def core_audio_layout(content: bytes, magic: bytes) -> Layout:
    """Of the chunk `desc`; `magic` is as in the others."""
    if len(content) < 32 or content[8:12] != b"lpcm":
        return Layout()
    packet, _, channels, bits = struct.unpack(">IIII", content[16:32])
    own = channels * ((bits + 7) // 8)
    odd = f"{packet} bytes for a sample of {bits} bits and {channels} channels"
    return Layout(own or None, odd="" if own == packet else odd)


# By the name of the chunk.
LAYOUTS: dict[bytes, Callable[[bytes, bytes], Layout]] = {
    b"fmt ": wave_layout,
    b"COMM": aiff_layout,
    b"desc": core_audio_layout,
}
