"""One manifest: JSON lines as NeMo has them. Training and scoring both read it here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from asr_qat.audio.inside import AudioSource, audio_source
from asr_qat.corpora.readers.rows import json_object, read_rows, text_rows
from asr_qat.corpora.utterance import Utterance, speaker_name
from asr_qat.errors import UserError

EXPECTED = '{"audio_filepath": ..., "text": ...}'


def read_json_lines(
    path: Path,
    text_required: bool = False,
    source: Callable[[Path, dict[str, Any]], AudioSource] | None = None,
) -> list[Utterance]:
    """The utterances of a manifest, in its order.

    Each line is an object with `audio_filepath` (relative to the manifest or, if there is no such
    file, to the working directory; also an address, see `asr_qat.audio.inside`), `text`, and
    optionally `id` (else the path without its suffix names the utterance) and `speaker`. With
    `offset` (also 0.0) and `duration`, in seconds, it is a segment of the recording; without an
    `id` the offset is part of its name then. A `duration` without an `offset` is that of the
    whole recording; where it is not, its first seconds are the utterance, as for NeMo. Lines with
    a true `_skipme` are passed over, as there.

    Args:
        path: the manifest.
        text_required: refuse a line without `text`; else its utterance has an empty one.
        source: finds the recording of a line's object, of the manifest in this folder.

    Raises:
        UserError: naming all damaged lines.
        FileNotFoundError: there is no such manifest.
    """

    def read_line(line: str, where: str) -> Utterance | None:
        entry = json_object(line)
        if entry.get("_skipme"):
            return None
        return _utterance(entry, path.parent, text_required, where, source or _file)

    found = read_rows(path, text_rows(path), read_line)
    return [utterance for utterance in found if utterance is not None]


def _utterance(
    entry: dict[str, Any],
    folder: Path,
    text_required: bool,
    where: str,
    source: Callable[[Path, dict[str, Any]], AudioSource],
) -> Utterance:
    audio = entry.get("audio_filepath")
    if not isinstance(audio, str) or not Path(audio).name or "\0" in audio:
        raise UserError(f"expected {EXPECTED}")
    offset, duration = (_seconds(entry, key) for key in ("offset", "duration"))
    if duration == 0:
        raise UserError("duration is 0, expected seconds above it")
    text = entry.get("text")
    if not isinstance(text, str) and (text_required or text is not None):
        raise UserError(f"text is {text!r}, expected {EXPECTED}")
    name = entry.get("id")  # may be the number 0
    if name in (None, ""):
        part = "" if offset is None else f"-{offset:.3f}"
        name = f"{Path(audio).with_suffix('')}{part}"
    return Utterance(
        id=str(name),
        audio_path=source(folder, entry),
        text=text or "",
        speaker=speaker_name(entry.get("speaker")),
        offset=offset or 0.0,
        duration=duration,
        whole=offset is None and duration is not None,
        where=where,
    )


def _file(folder: Path, entry: dict[str, Any]) -> AudioSource:
    """A file in the folder of the manifest, else in the working directory, as NeMo has it."""
    found = audio_source(folder, entry["audio_filepath"])
    if isinstance(found, Path) and not found.is_file():
        here = Path(entry["audio_filepath"]).expanduser()
        return here if here.is_file() else found
    return found


def _seconds(entry: dict[str, Any], key: str) -> float | None:
    """A number from 0 up; None if there is none."""
    value = entry.get(key)
    if value is None:
        return None
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 <= value < float("inf"):
        raise UserError(f"{key} is {value!r}, expected seconds from 0 up")
    return float(value)
