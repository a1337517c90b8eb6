"""The frames of an MP3 file, counted.

libsndfile believes what a file says of its length, or guesses it from the first frames. It
stops there: in files of variable bit rate without a table of contents, and in files that were
appended to each other, long before their end.
"""

import re
from typing import BinaryIO, NamedTuple

_HEADER = 4
_MPEG1_KBPS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MPEG2_KBPS = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = (44100, 48000, 32000)  # halved for MPEG 2, and again for 2.5
_TOC = re.compile(rb"Xing|Info|VBRI")  # a silent first frame that describes the others


class MpegFrames(NamedTuple):
    """What is in a file.

    Attributes:
        samples: of each channel, in all complete frames that hold sound.
        complete: whether the last frame is.
        described: whether the first frame says how many there are.
    """

    samples: int
    complete: bool
    described: bool


def count_frames(file: BinaryIO) -> MpegFrames:
    """Count the Layer III frames from the beginning of a file on.

    Tags between and after frames are passed over. Source: ISO/IEC 11172-3, 13818-3.
    """
    samples, complete, first, described = 0, True, True, False
    file.seek(_tag_size(file))
    while len(header := file.read(_HEADER)) == _HEADER:
        frame = _frame(header)
        if frame is None:
            if not _to_next_frame(file):
                break
            continue
        size, length = frame
        rest = file.read(size - _HEADER)
        complete = len(rest) == size - _HEADER
        described = described or (first and _TOC.search(rest[:200]) is not None)
        if complete and not (first and described):
            samples += length
        first = False
    return MpegFrames(samples, complete, described)


def _tag_size(file: BinaryIO) -> int:
    """Bytes of an ID3v2 tag at the beginning."""
    file.seek(0)
    tag = file.read(10)
    if tag[:3] != b"ID3" or len(tag) < 10:
        return 0
    a, b, c, d = tag[6:10]
    return 10 + (a << 21 | b << 14 | c << 7 | d)


def _frame(header: bytes) -> tuple[int, int] | None:
    """Bytes and samples of the frame with this header; None if it is none."""
    if header[0] != 0xFF or header[1] & 0xE0 != 0xE0 or header[1] & 6 != 2:
        return None
    version, rate, kbps = header[1] >> 3 & 3, header[2] >> 2 & 3, header[2] >> 4
    if version == 1 or rate == 3 or kbps in (0, 15):
        return None
    mpeg1 = version == 3
    bits = 1000 * (_MPEG1_KBPS if mpeg1 else _MPEG2_KBPS)[kbps]
    hertz = _RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
    return (144 if mpeg1 else 72) * bits // hertz + (header[2] >> 1 & 1), 1152 if mpeg1 else 576


def _to_next_frame(file: BinaryIO) -> bool:
    """Go on to what may be the next frame after something else; whether there is any."""
    file.seek(1 - _HEADER, 1)
    while block := file.read(1 << 16):
        found = re.search(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb]", block)
        if found:
            file.seek(found.start() - len(block), 1)
            return True
    return False
