"""Reading recordings: WAV, FLAC, NIST SPHERE and OGG through libsndfile."""

import re
from pathlib import Path

import numpy as np
import soundfile

from asr_qat.errors import UserError

_UNKNOWN_WAV_BYTES = 0x7FFFF000  # writers to a pipe leave a length this large in the header


def read_audio(path: str | Path, sample_rate: int = 16000) -> np.ndarray:
    """Read one mono recording.

    Args:
        path: a WAV, FLAC, NIST SPHERE or OGG file.
        sample_rate: samples per second that the file must have.

    Returns:
        float32 `[samples]` in [-1, 1).

    Raises:
        UserError: the file is missing, empty, damaged, cut short, not mono, or has
            another sample rate.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such audio file")
    if path.stat().st_size == 0:
        raise UserError(f"{path}: empty file: record or copy it again")
    try:
        info = soundfile.info(path, verbose=True)
        _check_format(path, info, sample_rate)
        audio, _ = soundfile.read(path, dtype="float32")
    except soundfile.LibsndfileError as error:
        reason = str(error.error_string).strip() or "cannot be decoded"
        raise UserError(
            f"{path}: not readable audio ({reason.rstrip('.')}): "
            "expected intact WAV, FLAC, NIST SPHERE or OGG"
        ) from None
    if len(audio) == 0:
        raise UserError(f"{path}: no samples: record or copy it again")
    if len(audio) < max(info.frames, _declared_frames(path, info)):
        raise UserError(f"{path}: cut short after {len(audio)} samples: copy it again")
    if not np.isfinite(audio).all():
        raise UserError(f"{path}: holds samples that are not numbers: convert it again")
    return np.clip(audio, -1.0, np.nextafter(np.float32(1), np.float32(0)))


def _check_format(path: Path, info: soundfile._SoundFileInfo, sample_rate: int) -> None:
    if info.channels == 1 and info.samplerate == sample_rate:
        return
    layout = {1: "mono", 2: "stereo"}.get(info.channels, f"{info.channels}-channel")
    raise UserError(
        f"{path}: {info.samplerate} Hz {layout}, expected {sample_rate} Hz mono: convert it with "
        f"`ffmpeg -i {path} -ar {sample_rate} -ac 1 {path.with_suffix('')}-{sample_rate}.wav`"
    )


def _declared_frames(path: Path, info: soundfile._SoundFileInfo) -> int:
    """Samples promised by the header; libsndfile shortens WAV and SPHERE without a word."""
    if info.format == "NIST":
        with path.open("rb") as file:
            declared = re.search(rb"sample_count -i (\d+)", file.read(1024))
        return int(declared[1]) if declared else 0
    lengths = re.search(r"^data : (\d+) \(should be (\d+)\)", info.extra_info, re.MULTILINE)
    if lengths is None or int(lengths[1]) >= _UNKNOWN_WAV_BYTES:
        return 0
    frame_bytes = re.search(r"Block Align\s*: (\d+)", info.extra_info)
    return int(lengths[1]) // int(frame_bytes[1]) if frame_bytes else 0
