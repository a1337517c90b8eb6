"""Objects of Lhotse's manifests as utterances."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from asr_qat.audio.inside import AudioSource
from asr_qat.corpora.readers.kaldi_audio import piped_file
from asr_qat.corpora.readers.splits import beside
from asr_qat.corpora.utterance import Utterance
from asr_qat.errors import UserError, require

ROUNDING_S = 0.01  # by which a supervision may reach beyond its cut
_HARMLESS = ("Resample",)  # transforms that reading does anyway

Find = Callable[[dict[str, Any], Path], AudioSource]  # the audio of a recording's object


def of_cut(cut: dict[str, Any], where: str, folder: Path, find: Find) -> list[Utterance]:
    """The supervisions of a cut as utterances; one without a transcript if there is none.

    Args:
        cut: the object.
        where: its line, for errors.
        folder: that of its manifest.
        find: finds the audio of its recording.

    Raises:
        UserError: not a plain cut of a recording that is there.
    """
    kind = cut.get("type", "MonoCut")
    require(kind in ("MonoCut", "MultiCut"), f"a {kind}: save its audio with `CutSet.save_audios`")
    recording = cut.get("recording")
    require(isinstance(recording, dict), "a cut without its recording: it has features alone")
    assert isinstance(recording, dict)
    source = find(recording, folder)
    start, length = _seconds(cut, "start"), _seconds(cut, "duration")
    supervisions = cut.get("supervisions") or [{"start": 0.0, "duration": length}]
    found = []
    for supervision in supervisions:
        begin, lasts = _seconds(supervision, "start"), _seconds(supervision, "duration")
        inside = begin >= -ROUNDING_S and begin + lasts <= length + ROUNDING_S
        require(inside, f"supervision {supervision.get('id')!r} reaches beyond its cut")
        segment = {"start": max(start + begin, 0.0), "duration": lasts}
        name = {"id": supervision.get("id", cut.get("id"))}
        channel = supervision.get("channel", cut.get("channel", 0))
        _check_channels(recording, channel)
        found.append(_utterance(supervision | segment | name, recording, source, where))
    return found


def of_supervision(
    supervision: dict[str, Any],
    where: str,
    recordings: dict[str, tuple[dict[str, Any], AudioSource]],
) -> Utterance:
    """A supervision of one of `recordings`, which are by id, each with its audio."""
    name = supervision.get("recording_id")
    require(name in recordings, f"recording {name!r} is in no manifest of recordings")
    assert isinstance(name, str)
    recording, source = recordings[name]
    _check_channels(recording, supervision.get("channel", 0))
    return _utterance(supervision, recording, source, where)


def file_of(recording: dict[str, Any], folder: Path) -> Path:
    """The audio file of a recording. Raises `UserError` if it has none of its own."""
    transforms = [change.get("name") for change in recording.get("transforms") or []]
    changes = [name for name in transforms if name not in _HARMLESS]
    require(not changes, f"changed by {', '.join(map(str, changes))}: give what was recorded")
    sources = recording.get("sources")
    require(
        isinstance(sources, list) and len(sources) == 1 and isinstance(sources[0], dict),
        f"recording {recording.get('id')!r} is not one file",
    )
    assert isinstance(sources, list)
    kind, name = sources[0].get("type"), sources[0].get("source")
    if kind == "command":
        return piped_file(str(name), folder)
    if kind == "file" and isinstance(name, str):
        return beside(folder, name)
    raise UserError(f"audio of kind {kind!r}: save it in files with `CutSet.save_audios`")


def _utterance(
    entry: dict[str, Any], recording: dict[str, Any], source: AudioSource, where: str
) -> Utterance:
    start, lasts = _seconds(entry, "start"), _seconds(entry, "duration")
    text = entry.get("text")
    require(text is None or isinstance(text, str), f"text is {text!r}, expected a transcript")
    speaker = entry.get("speaker")
    whole = start == 0 and abs(lasts - _seconds(recording, "duration")) <= ROUNDING_S
    return Utterance(
        id=str(entry.get("id")),
        audio_path=source,
        text=text or "",
        speaker="" if speaker is None else str(speaker),
        offset=start,
        duration=lasts,
        whole=whole,
        where=where,
    )


def _check_channels(recording: dict[str, Any], wanted: Any) -> None:
    """Reading mixes all channels: what is said of one of several is said of something else."""
    channels = recording.get("channel_ids") or recording["sources"][0].get("channels", [0])
    said = wanted if isinstance(wanted, list) else [wanted]
    require(
        len(channels) <= 1 or sorted(said) == sorted(channels),
        f"channel {wanted} of {len(channels)}: split them into files of one channel",
    )


def _seconds(entry: dict[str, Any], key: str) -> float:
    value = entry.get(key)
    require(isinstance(value, (int, float)), f"{key} is {value!r}, expected seconds")
    assert isinstance(value, (int, float))
    return float(value)
