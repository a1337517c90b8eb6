"""The commands that are drilled, each on an instance of a few seconds."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "tests/data/tones_ctc.tflite"  # knows the words below
SAMPLE_RATE = 16000  # samples a second
WORD_SECONDS = 0.35
WORD_HZ = {"ONE": 300, "TWO": 500, "THREE": 800, "FOUR": 1300, "FIVE": 2100}
SPLIT_SIZES = {"train": 12, "dev": 3, "test": 3}  # utterances
ENCODER = {"blocks": 1, "dim": 16, "heads": 2, "feed_forward": 16, "kernel": 5, "subsampling": 8}
TRAINING = {
    "steps": 4,
    "evaluate_every": 2,
    "checkpoint_minutes": 0.00000001,  # one after each step
    "batches": {"batch_size": 4, "speeds": [1.0], "cache": True},
}


@dataclasses.dataclass(frozen=True)
class Command:
    """A command and what it needs.

    Attributes:
        name: of it.
        words: as it is typed; `{inputs}` is the folder of the inputs.
        share: of all kills.
        result: what of its folder is an input of later commands, and under which name.
        needs: the commands whose results it takes.
        begin: what lies in its folder before it begins.
    """

    name: str
    words: str
    share: float
    result: tuple[str, str] | None = None
    needs: tuple[str, ...] = ()
    begin: Callable[[Path], object] = lambda folder: None


COMMANDS = (
    Command(
        "prepare",
        "asr-qat prepare --corpus manifest --data {inputs}/corpus --out data --vocab-size 40 "
        "--model-type char --shards 2 --quiet",
        0.25,
        ("data", "data"),
    ),
    Command(
        "train",
        "asr-qat train --config {inputs}/train.yaml --data {inputs}/data --output model --quiet",
        0.2,
        ("model", "float"),
        ("prepare",),
    ),
    Command(
        "quantize",
        "asr-qat quantize --config {inputs}/train.yaml --precision w4a8 --model {inputs}/float "
        "--data {inputs}/data --output model --quiet",
        0.2,
        ("model", "w4a8"),
        ("prepare", "train"),
    ),
    Command(
        "convert",
        "tflite-export convert {inputs}/w4a8 -o x.tflite --seconds 1 --quiet",
        0.15,
        None,
        ("prepare", "train", "quantize"),
    ),
    Command(
        "evaluate",
        "tflite-export evaluate tones.tflite --data {inputs}/data --card --quiet",
        0.15,
        None,
        ("prepare",),
        lambda folder: shutil.copy(FILE, folder / "tones.tflite"),
    ),
    Command(
        "study",
        "asr-qat study --config {inputs}/study.yaml --workers 1 --quiet",
        0.05,
        None,
        ("prepare", "train"),
    ),
)
BY_NAME = {command.name: command for command in COMMANDS}


def write_inputs(inputs: Path) -> None:
    """The corpus and the configurations; the rest are results of commands."""
    _write_corpus(inputs / "corpus")
    training = {"data": "data", "output": "model", "encoder": ENCODER, **TRAINING}
    (inputs / "train.yaml").write_text(yaml.safe_dump(training))
    study = {
        "data": str(inputs / "data"),
        "start": str(inputs / "float"),
        "output": "results/study",
        "work": "work",
        "seeds": [0],
        "seconds": [1.0],
        "training": {"steps": 2, "batches": TRAINING["batches"]},
        "groups": {"one": {"precisions": ["w4a8"], "methods": ["ptq"]}},
    }
    (inputs / "study.yaml").write_text(yaml.safe_dump(study))


def _write_corpus(folder: Path) -> None:
    """Utterances of two to four words, a tone each."""
    chance = np.random.default_rng(0)
    vocabulary = list(WORD_HZ)
    for split, count in SPLIT_SIZES.items():
        (folder / split).mkdir(parents=True)
        for index in range(count):
            words = [str(word) for word in chance.choice(vocabulary, 2 + chance.integers(3))]
            if split == "train" and index < len(vocabulary):
                words[0] = vocabulary[index]  # so that every letter is in the vocabulary
            path = folder / split / f"{index:02d}.wav"
            soundfile.write(path, _spoken(words, chance), SAMPLE_RATE)
            path.with_suffix(".txt").write_text(" ".join(words) + "\n")


def _spoken(words: list[str], chance: np.random.Generator) -> np.ndarray:
    """Tones that fade in and out, over a little noise: float32 `[samples]`."""
    n = np.arange(round(WORD_SECONDS * SAMPLE_RATE))
    tones = [
        0.3 * np.hanning(len(n)) * np.sin(2 * np.pi * WORD_HZ[word] * n / SAMPLE_RATE)
        for word in words
    ]
    audio = np.concatenate(tones)
    return (audio + 0.003 * chance.standard_normal(len(audio))).astype(np.float32)
