"""Shared fixtures: a synthetic corpus, the folder prepared from it, and the real AN4."""

import atexit
import contextlib
import fcntl
import gc
import importlib.util
import logging
import os
import resource
import signal
from collections.abc import Callable, Iterator
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

# Graphs are many objects, and a collection takes ever longer. One that meets the iterator of a
# training that was broken off waits half a minute for its threads. The process of a group of
# files ends soon, and there too nothing is collected.
if "ASR_QAT_TESTS_SHARED" in os.environ:
    gc.disable()
    atexit.register(gc.freeze)

hypothesis.settings.register_profile("fast", deadline=None, max_examples=15)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=60)
hypothesis.settings.load_profile("fast")


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory) -> Path:
    """A folder that all processes of `tests.run` have in common."""
    shared = os.environ.get("ASR_QAT_TESTS_SHARED")
    return Path(shared) if shared else tmp_path_factory.getbasetemp()


def made_once(path: Path, make: Callable[[Path], object]) -> Path:
    """A file or folder in `shared_folder`, which the first process that needs it makes."""
    done = path.with_name(f"{path.name}.done")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            make(path)
            done.touch()
    return path


def long_case(*values):
    """A case of a parametrised test that adds little to the others: for `make test-all` alone."""
    return pytest.param(*values, marks=pytest.mark.long)


@contextlib.contextmanager
def small_files(limit: int) -> Iterator[None]:
    """As on a full disk: this process can write files of `limit` bytes at most."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


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
def synthetic_corpus(shared_folder) -> Path:
    """A folder of `{train,dev,test}/*.wav`, a `.txt` beside each: 2 to 4 words of tones."""
    return made_once(shared_folder / "corpus", write_corpus)


def write_corpus(root: Path) -> None:
    rng = np.random.default_rng(0)
    vocabulary = list(WORD_HZ)
    for split, count in SPLIT_SIZES.items():
        (root / split).mkdir(parents=True)
        for index in range(count):
            size = 2 + int(rng.integers(3))
            words = [vocabulary[i] for i in rng.integers(len(vocabulary), size=size)]
            if split == "train" and index < len(vocabulary):
                words[0] = vocabulary[index]  # so that every letter is in the vocabulary
            path = root / split / f"{index:02d}.wav"
            soundfile.write(path, utterance(words, index), SAMPLE_RATE)
            path.with_suffix(".txt").write_text(" ".join(words) + "\n")


@pytest.fixture(scope="session")
def prepared_folder(synthetic_corpus, shared_folder) -> Path:
    """`synthetic_corpus` as `asr-qat prepare` writes it, with letters as labels."""
    from asr_qat.corpora.prepare import prepare
    from asr_qat.corpora.readers.manifest import read

    def make(out):
        prepare(read(synthetic_corpus), out, vocab_size=40, model_type="char", quiet=True)

    return made_once(shared_folder / "prepared" / "synthetic", make)


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
    from asr_qat.corpora.readers.an4 import read

    utterances = read(an4_archive).splits["test"]
    return [read_audio(item.audio_path) for item in utterances[:: len(utterances) // 5][:5]]
