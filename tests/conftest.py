"""Shared fixtures: a synthetic corpus, the folder prepared from it, and the real AN4."""

import importlib.util
import logging
import os
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import soundfile

import asr_qat  # noqa: F401  # chooses Keras 2 before a test imports TensorFlow
from asr_qat.log import PACKAGES

SAMPLE_RATE = 16000  # samples per second
WORD_SECONDS = 0.35  # length of one spoken word
WORD_HZ = {"ONE": 300, "TWO": 500, "THREE": 800, "FOUR": 1300, "FIVE": 2100}
SPLIT_SIZES = {"train": 12, "dev": 3, "test": 3}  # utterances

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # as the commands set it
if importlib.util.find_spec("tensorflow"):  # tests marked `runtime` do without
    from asr_qat.training.graph_options import keep_graphs_as_they_are

    keep_graphs_as_they_are()  # a fifth of the tests' time

hypothesis.settings.register_profile("asr_qat", deadline=None, max_examples=40)
hypothesis.settings.load_profile("asr_qat")


@pytest.fixture(autouse=True)
def log_as_it_was():
    """A command run by one test does not show what the next one logs."""
    loggers = [logging.getLogger(name) for name in PACKAGES]
    before = [(logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    yield
    for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
        logger.handlers[:], logger.propagate = handlers, propagate
        logger.setLevel(level)


def utterance(words: list[str], seed: int) -> np.ndarray:
    """One tone for each word, faded in and out, over a little noise."""
    rng = np.random.default_rng(seed)
    n = np.arange(round(WORD_SECONDS * SAMPLE_RATE))
    fade = np.hanning(len(n))
    tones = [0.3 * fade * np.sin(2 * np.pi * WORD_HZ[word] * n / SAMPLE_RATE) for word in words]
    audio = np.concatenate(tones)
    return (audio + 0.003 * rng.standard_normal(len(audio))).astype(np.float32)


@pytest.fixture(scope="session")
def synthetic_corpus(tmp_path_factory) -> Path:
    """A folder of `{train,dev,test}/*.wav`, a `.txt` beside each: 2 to 4 words of tones."""
    root = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(0)
    vocabulary = list(WORD_HZ)
    for split, count in SPLIT_SIZES.items():
        (root / split).mkdir()
        for index in range(count):
            size = 2 + int(rng.integers(3))
            words = [vocabulary[i] for i in rng.integers(len(vocabulary), size=size)]
            if split == "train" and index < len(vocabulary):
                words[0] = vocabulary[index]  # so that every letter is in the vocabulary
            path = root / split / f"{index:02d}.wav"
            soundfile.write(path, utterance(words, index), SAMPLE_RATE)
            path.with_suffix(".txt").write_text(" ".join(words) + "\n")
    return root


@pytest.fixture(scope="session")
def prepared_folder(synthetic_corpus, tmp_path_factory) -> Path:
    """`synthetic_corpus` as `asr-qat prepare` writes it, with letters as labels."""
    from asr_qat.corpora.manifest import read
    from asr_qat.corpora.prepare import prepare

    out = tmp_path_factory.mktemp("prepared") / "synthetic"
    prepare(read(synthetic_corpus), out, vocab_size=40, model_type="char", quiet=True)
    return out


@pytest.fixture(scope="session")
def an4_archive() -> Path:
    """The AN4 archive or folder, wherever `locate` finds it; skips if it is out of reach."""
    from asr_qat.corpora.download import Unreachable
    from asr_qat.corpora.locate import locate

    try:
        return locate("an4", quiet=True)
    except Unreachable as error:
        pytest.skip(f"AN4 is out of reach: {error}")


@pytest.fixture(scope="session")
def an4_audio(an4_archive) -> list[np.ndarray]:
    """Five AN4 test utterances, float32."""
    from asr_qat.audio.decode import read_audio
    from asr_qat.corpora.an4 import read

    utterances = read(an4_archive).splits["test"]
    return [read_audio(item.audio_path) for item in utterances[:: len(utterances) // 5][:5]]
