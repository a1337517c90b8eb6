"""Which container a recording has, by its first bytes."""

from typing import BinaryIO

from asr_qat.audio.containers.adts_frames import adts_structure, is_adts
from asr_qat.audio.containers.boxes import box_structure, is_boxes
from asr_qat.audio.containers.chunks import chunk_structure
from asr_qat.audio.containers.elements import MAGIC, element_structure
from asr_qat.audio.containers.flac_frames import flac_structure
from asr_qat.audio.containers.mpeg_frames import after_tag, is_layer_3, mpeg_structure
from asr_qat.audio.containers.ogg_pages import ogg_structure
from asr_qat.audio.containers.plain_headers import au_structure, nist_structure
from asr_qat.audio.containers.structure import Structure

_CHUNKS = (b"RIFF", b"RIFX", b"RF64", b"FORM", b"caff", b"riff")


def structure_of(file: BinaryIO) -> tuple[Structure, bool]:
    """The structure of a recording, and whether its container is one that libsndfile is for.

    libsndfile guesses many more, some by their length alone, and then gives noise.
    """
    file.seek(0)
    magic = file.read(12)
    start = after_tag(magic, 0)
    if start:
        file.seek(start)
        tagged = file.read(4)
        if tagged == b"fLaC":
            return flac_structure(file, start), True
        if len(tagged) > 1 and is_adts(tagged):
            return adts_structure(file, start), False
        return mpeg_structure(file), True
    first = magic[:4]
    if first in _CHUNKS:
        return chunk_structure(file, first), True
    if first in (b".snd", b"dns."):
        return au_structure(file, first), True
    if first == b"NIST":
        return nist_structure(file), True
    if first == b"OggS":
        return ogg_structure(file), True
    if first == b"fLaC":
        return flac_structure(file), True
    return _of_others(file, magic)


def _of_others(file: BinaryIO, magic: bytes) -> tuple[Structure, bool]:
    if len(magic) > 1 and is_adts(magic):
        return adts_structure(file), False
    if len(magic) > 3 and magic[0] == 0xFF and magic[1] & 0xE0 == 0xE0:
        # Of Layers I and II nothing is known but that decoders guess their length.
        return mpeg_structure(file) if is_layer_3(magic) else Structure(guessed=True), True
    if magic.startswith(MAGIC):
        return element_structure(file), False
    if is_boxes(magic):
        return box_structure(file), False
    return Structure(known=False), False
