"""The layouts in which corpora lie: an instance of each is prepared, and heard again.

The instances are those of `tests/data/corpora`, which the libraries of the formats have written
(`tests/make_corpora.py`), and a folder of recordings with text files, written here by libsndfile in
one audio format after the other. All hold the same six utterances, which are tones.
"""

import dataclasses
import io
import itertools
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import tensorflow as tf

from asr_qat.corpora.fallback import read_corpus
from asr_qat.corpora.prepare import prepare
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.corpora.recognise import recognise
from asr_qat.corpora.utterance import Corpus
from experiments.targets import Row, equal

INSTANCES = Path(__file__).resolve().parents[2] / "tests/data/corpora"
RATE = 16000
ALIKE = 0.99  # least correlation of what went through MP3
# Layout, what wrote its instances, and their folders.
LAYOUTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("NeMo manifests and tarred sets", "nemo_toolkit", ("nemo", "nemo_tarred")),
    ("Kaldi directories", "kaldiio", ("kaldi",)),
    ("Lhotse", "lhotse", ("lhotse_cuts", "lhotse_manifests", "lhotse_shar")),
    ("Hugging Face", "datasets", ("hf_saved", "hf_parquet", "audio_folder")),
    ("Common Voice", "pandas", ("common_voice",)),
    ("recordings with text files", "soundfile", ("recordings",)),
)
FORMATS = {".wav": "WAV", ".flac": "FLAC", ".aiff": "AIFF", ".sph": "NIST", ".caf": "CAF"}


@dataclasses.dataclass(frozen=True)
class LayoutRow:
    """One instance of a layout.

    Attributes:
        layout: in words.
        instance: its folder.
        library: what wrote it, with its version.
        recognised: the reader that `--corpus auto` chose.
        utterances: in the prepared folder, of the six that there are.
        same_words: whether all splits, texts and speakers are those that were written.
        same_samples: whether all samples are.
        correlation: the least of an utterance with what was written; 1 with the same samples.
    """

    layout: str
    instance: str
    library: str
    recognised: str
    utterances: int
    same_words: bool
    same_samples: bool
    correlation: float


def measure_layouts(instances: Path = INSTANCES) -> list[LayoutRow]:
    """Prepare all instances, each in a folder that does not stay."""
    facts = json.loads((instances / "utterances.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as work:
        written = _write_recordings(Path(work) / "recordings", facts["utterances"])
        return [
            _measure(layout, name, f"{library} {facts['libraries'][library]}", folder, facts, work)
            for layout, library, names in LAYOUTS
            for name, folder in (
                (n, written if n == "recordings" else instances / n) for n in names
            )
        ]


def layout_target(rows: list[LayoutRow]) -> Row:
    """The row of `results/prepare_scale.json` on layouts."""
    whole = [
        all(_is_whole(row) for row in group)
        for _, group in itertools.groupby(rows, key=lambda row: row.layout)
    ]
    name = "layouts of corpora prepared from an instance by the format's own library"
    return equal(name, sum(whole), len(LAYOUTS))


def _is_whole(row: LayoutRow) -> bool:
    lossy = row.layout == "Common Voice" and row.correlation >= ALIKE
    return row.utterances == 6 and row.same_words and (row.same_samples or lossy)


def _measure(
    layout: str, name: str, library: str, folder: Path, facts: dict[str, Any], work: str
) -> LayoutRow:
    utterances = facts["utterances"]
    corpus = read_corpus(None, folder, quiet=True)
    out = Path(work) / f"prepared_{name}"
    prepare(corpus, out, vocab_size=40, model_type="char", quiet=True)
    heard = _prepared_audio(PreparedFolder(out))
    texts = {item.id: item.text for items in corpus.splits.values() for item in items}
    tones = {fact["text"]: tone(fact["samples"], fact["step"]) for fact in utterances.values()}
    pairs = [(tones[texts[key]], audio) for key, audio in heard.items()]
    return LayoutRow(
        layout,
        name,
        library,
        recognise(folder)[0],
        utterances=len(heard),
        same_words=_words(corpus) == _expected(utterances),
        same_samples=all(np.array_equal(*pair) for pair in pairs),
        correlation=min(_correlation(*pair) for pair in pairs),
    )


def tone(samples: int, step: int) -> np.ndarray:
    """A tone that is the same on every machine: int16 `[samples]`."""
    phase = np.arange(samples) * step % 16000
    return (np.abs(phase - 8000) - 4000).astype(np.int16)


def _write_recordings(folder: Path, utterances: dict[str, dict]) -> Path:
    """Files with the words beside them, in all `FORMATS`."""
    formats = itertools.cycle(FORMATS.items())
    for name, fact in utterances.items():
        suffix, kind = next(formats)
        place = folder / fact["split"] / fact["speaker"]
        place.mkdir(parents=True, exist_ok=True)
        audio = tone(fact["samples"], fact["step"])
        soundfile.write(place / f"{name}{suffix}", audio, RATE, format=kind, subtype="PCM_16")
        (place / f"{name}.txt").write_text(fact["text"], encoding="utf-8")
    return folder


def _words(corpus: Corpus) -> set[tuple[str, str, str]]:
    """Split, text and beginning of the speaker's name of each; Common Voice repeats names."""
    return {
        (split, item.text, item.speaker[:3])
        for split, items in corpus.splits.items()
        for item in items
    }


def _expected(utterances: dict[str, dict]) -> set[tuple[str, str, str]]:
    return {(fact["split"], fact["text"], fact["speaker"]) for fact in utterances.values()}


def _prepared_audio(prepared: PreparedFolder) -> dict[str, np.ndarray]:
    """What training would hear: int16 `[samples]` by utterance."""
    schema = {key: tf.io.FixedLenFeature([], tf.string) for key in ("id", "audio")}
    found = {}
    for split in prepared.corpus["splits"]:
        for record in tf.data.TFRecordDataset([str(path) for path in prepared.shards(split)]):
            example = tf.io.parse_single_example(record, schema)
            audio, _ = soundfile.read(io.BytesIO(example["audio"].numpy()), dtype="int16")
            found[example["id"].numpy().decode()] = audio
    return found


def _correlation(written: np.ndarray, heard: np.ndarray) -> float:
    """Without the ends, where MP3 fades, and whose length it may change by a sample."""
    both = slice(200, min(len(written), len(heard)) - 200)
    return float(np.corrcoef(written[both], heard[both])[0, 1])
