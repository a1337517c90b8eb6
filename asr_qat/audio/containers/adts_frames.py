"""Frames of AAC in ADTS: whether they follow each other to the end. Source: ISO/IEC 13818-7."""

from typing import BinaryIO

from asr_qat.audio.containers.structure import Structure


def is_adts(magic: bytes) -> bool:
    """Whether a file that begins so consists of such frames."""
    return magic[0] == 0xFF and magic[1] & 0xF6 == 0xF0


def adts_structure(file: BinaryIO, start: int = 0) -> Structure:
    """The structure of a file in which such frames begin at a byte."""
    file.seek(start)
    at = start
    while head := file.read(7):
        if len(head) < 7:
            return Structure(cut=True)
        size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
        if not is_adts(head) or size < 7:
            return Structure(odd=f"no frame at byte {at}")
        if len(file.read(size - 7)) < size - 7:
            return Structure(cut=True)
        at += size
    return Structure()
