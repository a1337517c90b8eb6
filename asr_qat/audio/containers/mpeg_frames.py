"""The frames of an MP3 file, counted.

libsndfile believes what a file says of its length, or guesses it from the first frames. It
stops there: in files of variable bit rate without a table of contents, and in files that were
appended to each other, long before their end.
"""

import re
from typing import BinaryIO, NamedTuple

from asr_qat.audio.containers.structure import Structure

_HEADER = 4
_MPEG1_KBPS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MPEG2_KBPS = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = (44100, 48000, 32000)  # halved for MPEG 2, and again for 2.5
_TOC = re.compile(rb"(Xing|Info|VBRI)(.{14})?", re.DOTALL)  # in a silent first frame, on the others
_SYNC = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb]")
_TAG_AT_END = re.compile(rb"TAG|APETAGEX|LYRICSBEGIN|ID3")


class MpegFrames(NamedTuple):
    """What is in a file.

    Attributes:
        samples: of each channel, in all complete frames that hold sound.
        complete: whether the last frame is.
        described: whether the first frame says how many there are.
        declared: frames with sound, as it says; None if it does not.
        frames: with sound, that there are.
        alike: whether all have one version, rate, number of channels and kind of checksum.
        joined: whether another file begins within it.
        junk: bytes between frames that are neither frames nor tags, nor zeros that pad a tag.
    """

    samples: int
    complete: bool
    described: bool
    declared: int | None
    frames: int
    alike: bool
    joined: bool
    junk: int


def is_layer_3(magic: bytes) -> bool:
    """Whether a frame that begins so is of Layer III."""
    return magic[1] & 6 == 2


def mpeg_structure(file: BinaryIO) -> Structure:
    """The structure of a file that begins with a frame of Layer III, or with a tag."""
    found, odd = count_frames(file), ""
    if found.frames and found.junk:
        odd = f"{found.junk} bytes between its frames are none"
    elif not found.alike:
        odd = "its frames differ in rate, channels or version"
    elif found.joined:
        odd = "several recordings one after the other: all are read"
    elif found.declared not in (None, found.frames):
        odd = f"its first frame says that {found.declared} follow, but {found.frames} do"
    # Some writers count the first frame, too.
    cut = found.declared is not None and found.declared > found.frames + 1
    return Structure(
        samples=found.samples,
        guessed=not found.described,
        cut=cut or not found.complete,
        odd=odd,
    )


def count_frames(file: BinaryIO) -> MpegFrames:
    """Count the Layer III frames from the beginning of a file on.

    Tags between and after frames are passed over. Source: ISO/IEC 11172-3, 13818-3.
    """
    file.seek(0)
    content = file.read()
    samples = frames = junk = 0
    complete, described, alike, joined = True, False, True, False
    declared, kind = None, None
    at = after_tag(content, 0)
    while at + _HEADER <= len(content):
        frame = _frame(content[at : at + _HEADER])
        if frame is None:
            after = after_tag(content, at)
            found = _SYNC.search(content, after if after > at else at + 1)
            if found is None:
                junk += 0 if _TAG_AT_END.match(content, at) else len(content[at:].strip(b"\0"))
                break
            between = content[after : found.start()]
            padded = kind is None or after > at  # a tag, and the beginning of the file
            junk += len(between.strip(b"\0") if padded else between)
            at = found.start()
            continue
        first, complete = kind is None, at + frame.size <= len(content)
        toc = _TOC.search(content, at, min(at + 200, len(content)))
        joined = joined or (toc is not None and not first)
        alike = alike and kind in (None, frame.kind)
        kind = frame.kind
        if toc and first:
            described, declared = True, _declared(toc)
        elif complete:
            samples += frame.samples
            frames += 1
        at += frame.size
    complete = complete and content[at : at + 1] != b"\xff"  # of a header, 1 to 3 bytes
    return MpegFrames(samples, complete, described, declared, frames, alike, joined, junk)


class _Frame(NamedTuple):
    """Bytes and samples of a frame, and what all frames of a recording have in common."""

    size: int
    samples: int
    kind: tuple[int, int, bool]


def after_tag(content: bytes, at: int) -> int:
    """The byte after an ID3v2 tag that begins at a byte, or that byte."""
    tag = content[at : at + 10]
    if tag[:3] != b"ID3" or len(tag) < 10:
        return at
    a, b, c, d = tag[6:10]
    return at + 10 + (a << 21 | b << 14 | c << 7 | d)


def _declared(toc: re.Match[bytes]) -> int | None:
    """Frames that follow the one with this table of contents."""
    if toc[2] is None:
        return None
    if toc[1] == b"VBRI":  # version, delay, quality, bytes, frames
        return int.from_bytes(toc[2][10:14], "big")
    has_frames = toc[2][3] & 1
    return int.from_bytes(toc[2][4:8], "big") if has_frames else None


def _frame(header: bytes) -> _Frame | None:
    """The frame with this header; None if it is none."""
    if header[0] != 0xFF or header[1] & 0xE0 != 0xE0 or header[1] & 6 != 2:
        return None
    version, rate, kbps = header[1] >> 3 & 3, header[2] >> 2 & 3, header[2] >> 4
    if version == 1 or rate == 3 or kbps in (0, 15):
        return None
    mpeg1 = version == 3
    bits = 1000 * (_MPEG1_KBPS if mpeg1 else _MPEG2_KBPS)[kbps]
    hertz = _RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
    return _Frame(
        size=(144 if mpeg1 else 72) * bits // hertz + (header[2] >> 1 & 1),
        samples=1152 if mpeg1 else 576,
        kind=(header[1], rate, header[3] >> 6 == 3),
    )
