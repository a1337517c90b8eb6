"""AU and NIST SPHERE: a header, then samples to the end of the file.

Sources: Sun, audio(4); NIST, SPHERE documentation.
"""

import os
import re
import struct
from typing import BinaryIO

from asr_qat.audio.containers.structure import Structure

_UNKNOWN = 0xFFFFFFFF  # of AU: written to a pipe
_SAMPLE_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}  # by the encoding of AU
_FIELD = re.compile(rb"^(sample_count|channel_count|sample_n_bytes) -i (\d{1,12})\b", re.MULTILINE)
_LAW = re.compile(rb"^sample_coding -s\d+ .*law", re.MULTILINE)  # a byte, whatever else is said
_COMPRESSED = re.compile(rb"^sample_coding -s\d+ .*,", re.MULTILINE)


def au_structure(file: BinaryIO, magic: bytes) -> Structure:
    """Of a file that begins with `.snd`, or with `dns.` in the other byte order."""
    file.seek(4)
    header, end = file.read(20), file.seek(0, os.SEEK_END)
    if len(header) < 20:
        return Structure(cut=True)
    order = "<" if magic == b"dns." else ">"
    start, size, encoding, _, channels = struct.unpack(f"{order}5I", header)
    block = _SAMPLE_BYTES.get(encoding, 0) * channels
    return _structure(end - start if size == _UNKNOWN else size, end - start, block)


def nist_structure(file: BinaryIO) -> Structure:
    """Of a file that begins with `NIST_1A`."""
    file.seek(8)
    start = file.read(8).strip()
    if not start.isdigit():
        return Structure(damage="its header does not say its length")
    file.seek(0)
    header, end = file.read(int(start)), file.seek(0, os.SEEK_END)
    if b"end_head" not in header:
        return Structure(damage="its header has no end")
    fields = {name: int(value) for name, value in _FIELD.findall(header)}
    if b"sample_count" not in fields:
        return Structure(odd="its header does not say how many samples there are")
    if _COMPRESSED.search(header):
        return Structure()
    width = 1 if _LAW.search(header) else fields.get(b"sample_n_bytes", 2)
    block = fields.get(b"channel_count", 1) * width
    return _structure(fields[b"sample_count"] * block, end - int(start), block)


def _structure(size: int, held: int, block: int) -> Structure:
    """Of so many bytes of samples as the header says, as there are, and for one of all channels."""
    if size > held:
        return Structure(cut=True)
    if size < held:
        return Structure(odd=f"its last {held - size} bytes are none of its samples")
    if block and size % block:
        return Structure(odd=f"{size} bytes are no whole samples of {block} bytes")
    return Structure(samples=size // block if block else None)
