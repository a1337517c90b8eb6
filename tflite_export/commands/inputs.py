"""The recordings that are named on a command line: files, folders, manifests, standard input."""

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from asr_qat.audio.decode import KNOWN_SUFFIXES, read_audio, recordings_below
from asr_qat.audio.heard import AudioBytes
from asr_qat.errors import UserError, require
from tflite_export.runtime.formats import Source

if TYPE_CHECKING:
    import numpy as np

    from asr_qat.corpora.utterance import Utterance

STANDARD_INPUT = "-"
MANIFESTS = (".jsonl", ".json")  # NeMo's are lines of JSON under either name


@dataclasses.dataclass(frozen=True)
class Recording:
    """A recording to transcribe.

    Attributes:
        source: how it was named.
        entry: its entry of a manifest; None of a file.
        content: of standard input.
    """

    source: Source
    entry: "Utterance | None" = None
    content: bytes | None = dataclasses.field(default=None, repr=False)

    def __str__(self) -> str:
        return self.source.name

    def read(self, sample_rate: int) -> "np.ndarray":
        """Its audio, float32 `[samples]`; of a segment that alone. Raises `UserError`."""
        if self.entry is not None:
            return self.entry.read(sample_rate)
        if self.content is not None:
            return read_audio(AudioBytes(self.content, "standard input"), sample_rate)
        return read_audio(self.source.file, sample_rate)


def named_recordings(names: list[str]) -> list[Recording]:
    """Files as they are named; of a folder all recordings in it and below; all of a manifest.

    Standard input is read, for processes that have none.

    Raises:
        UserError: a folder or a manifest without recordings, all damaged lines of a manifest, or
            standard input that is empty or named more than once.
    """
    require(names.count(STANDARD_INPUT) <= 1, "-: is standard input, once: name it once")
    found: list[Recording] = []
    for name in names:
        if name == STANDARD_INPUT:
            found.append(_standard_input())
        elif Path(name).is_dir():
            found += [Recording(Source(file)) for file in _inside(name)]
        elif Path(name).suffix.lower() in MANIFESTS:
            found += _entries(Path(name))
        else:
            found.append(Recording(Source(name)))
    return found


def _standard_input() -> Recording:
    content = sys.stdin.buffer.read()
    require(bool(content), "standard input: empty: nothing came")
    return Recording(Source(STANDARD_INPUT), content=content)


def _inside(folder: str) -> list[str]:
    files = recordings_below(Path(folder))
    require(bool(files), f"{folder}: no recording in this folder ({KNOWN_SUFFIXES})")
    return sorted(map(str, files))


def _entries(manifest: Path) -> list[Recording]:
    from asr_qat.audio.inside import address
    from asr_qat.corpora.readers.json_lines import read_json_lines

    if not manifest.is_file():
        raise UserError(f"{manifest}: no such manifest")
    entries = read_json_lines(manifest)
    require(bool(entries), f"{manifest}: no recording in this manifest")
    return [Recording(Source(address(each.audio_path), each.id), each) for each in entries]
