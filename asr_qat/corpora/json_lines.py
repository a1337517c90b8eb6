"""One manifest: JSON lines as NeMo has them. Training and scoring both read it here."""

import json
from pathlib import Path
from typing import Any

from asr_qat import files
from asr_qat.corpora.utterance import Utterance, speaker_name
from asr_qat.errors import UserError

EXPECTED = '{"audio_filepath": ..., "text": ...}'


def read_json_lines(path: Path, text_required: bool = False) -> list[Utterance]:
    """The utterances of a manifest, in its order.

    Each line is an object with `audio_filepath` (relative to the manifest), `text`, and
    optionally `id` (else the path without its suffix names the utterance) and `speaker`; each
    recording is one utterance.

    Args:
        path: the manifest.
        text_required: refuse a line without `text`; else its utterance has an empty one.

    Raises:
        UserError: naming the damaged line.
        FileNotFoundError: there is no such manifest.
    """
    return [
        _utterance(line, path.parent, text_required, f"{path}: line {number}")
        for number, line in enumerate(files.read_lines(path), 1)
        if line.strip()
    ]


def _utterance(line: str, folder: Path, text_required: bool, where: str) -> Utterance:
    try:
        entry: Any = json.loads(line)
    except ValueError as error:
        raise UserError(f"{where}: not valid JSON ({error})") from None
    audio = entry.get("audio_filepath") if isinstance(entry, dict) else None
    if not isinstance(audio, str) or not Path(audio).name:
        raise UserError(f"{where}: expected {EXPECTED}")
    if entry.get("offset"):
        raise UserError(f"{where}: a part of a recording (offset): cut it into files of their own")
    text = entry.get("text")
    if not isinstance(text, str) and (text_required or text is not None):
        raise UserError(f"{where}: text is {text!r}, expected {EXPECTED}")
    name = entry.get("id")  # may be the number 0
    return Utterance(
        id=str(Path(audio).with_suffix("") if name in (None, "") else name),
        audio_path=folder / audio,
        text=text or "",
        speaker=speaker_name(entry.get("speaker")),
    )
