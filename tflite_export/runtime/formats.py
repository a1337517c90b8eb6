"""Transcriptions as text, JSON, subtitles (SRT, WebVTT) and CTM."""

import dataclasses
import html
import json
from collections.abc import Callable
from pathlib import PurePath

from tflite_export.runtime.subtitles import Cue, cues, word_cues
from tflite_export.runtime.transcription import Transcription

CHANNEL = "1"  # of CTM


@dataclasses.dataclass(frozen=True)
class Source:
    """What was transcribed.

    Attributes:
        file: the recording as it was named.
        id: of the entry of a manifest that it is; None of a file.
    """

    file: str
    id: str | None = None

    @property
    def name(self) -> str:
        """What tells it from others."""
        return self.file if self.id is None else self.id

    @property
    def stem(self) -> str:
        """Name of a file for its text, without the suffix."""
        return PurePath(self.file).stem if self.id is None else self.id.replace("/", "_")


def as_txt(source: Source, found: Transcription, by_word: bool) -> str:
    """The words in one line; by word one for each: start, end, confidence, word, with tabs."""
    if not by_word:
        return f"{found.text}\n"
    return "".join(
        f"{word.start_s:.3f}\t{word.end_s:.3f}\t{_rate(word.confidence) or '-'}\t{word.text}\n"
        for word in found.words
    )


def as_json(source: Source, found: Transcription, by_word: bool) -> str:
    """One line: `id`, `file`, `duration_s`, `text`, `utterances`; by word their `words`, too.

    Recordings of no manifest have no `id`.
    """
    utterances = []
    for each in found.utterances:
        content = {"start_s": each.start_s, "end_s": each.end_s, "text": each.text}
        words = [dataclasses.asdict(word) for word in each.words]
        utterances.append({**content, "words": words} if by_word else content)
    of = {"file": source.file} if source.id is None else {"id": source.id, "file": source.file}
    content = {**of, "duration_s": round(found.duration_s, 3), "text": found.text}
    return json.dumps({**content, "utterances": utterances}, ensure_ascii=False) + "\n"


def as_srt(source: Source, found: Transcription, by_word: bool) -> str:
    """SubRip subtitles; by word one for each."""
    made = word_cues(found) if by_word else cues(found)
    return "".join(
        f"{number}\n{_span(cue, ',')}\n{cue.text}\n\n" for number, cue in enumerate(made, start=1)
    )


def as_vtt(source: Source, found: Transcription, by_word: bool) -> str:
    """WebVTT subtitles (https://www.w3.org/TR/webvtt1); by word with a time before each."""
    made = [f"{_span(cue, '.')}\n{_vtt_text(cue, by_word)}\n\n" for cue in cues(found)]
    return "".join(["WEBVTT\n\n", *made])


def as_ctm(source: Source, found: Transcription, by_word: bool) -> str:
    """NIST's CTM, always by word: recording, channel, start, seconds, word, confidence."""
    recording = "_".join(source.stem.split()) or "-"
    lines = []
    for word in found.words:
        times = f"{word.start_s:.3f} {word.end_s - word.start_s:.3f}"
        line = f"{recording} {CHANNEL} {times} {word.text} {_rate(word.confidence)}"
        lines.append(f"{line.rstrip()}\n")
    return "".join(lines)


# Recording, what was found, whether by word.
FORMATS: dict[str, Callable[[Source, Transcription, bool], str]] = {
    "txt": as_txt,
    "json": as_json,
    "srt": as_srt,
    "vtt": as_vtt,
    "ctm": as_ctm,
}


def _rate(confidence: float | None) -> str:
    return "" if confidence is None else f"{confidence:.4f}"


def _vtt_text(cue: Cue, by_word: bool) -> str:
    """A player shows the words of a cue, and marks those whose time has come.

    Each of the times has to be later than the one before, and within those of the cue.
    """
    lines, latest = [], cue.start_s
    for line in cue.lines:
        words = []
        for word in line:
            text = html.escape(word.text, quote=False)
            if by_word and latest < word.start_s < cue.end_s:
                text, latest = f"<{_clock(word.start_s, '.')}>{text}", word.start_s
            words.append(text)
        lines.append(" ".join(words))
    return "\n".join(lines)


def _span(cue: Cue, point: str) -> str:
    return f"{_clock(cue.start_s, point)} --> {_clock(cue.end_s, point)}"


def _clock(seconds: float, point: str) -> str:
    """Hours, minutes, seconds and thousandths: `01:02:03,456`."""
    thousandths = round(1000 * seconds)
    minutes, rest = divmod(thousandths, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{point}{rest % 1000:03}"
