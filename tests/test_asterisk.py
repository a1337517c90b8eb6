"""The Asterisk prompts: words, splits and packages."""

import gzip
import shutil

import pytest
import soundfile

from asr_qat.corpora import asterisk, asterisk_package
from asr_qat.corpora.asterisk_text import read_texts, spoken
from asr_qat.corpora.utterance import SPLITS
from asr_qat.errors import UserError
from tests.corpus_fixtures import tone

pytest_plugins = ["tests.corpus_fixtures"]
pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (" Press 7 to delete this message.", "PRESS SEVEN TO DELETE THIS MESSAGE"),
        ("press * to toggle, press # to enter", "PRESS STAR TO TOGGLE PRESS POUND TO ENTER"),
        ("... for ...", "FOR"),
        ("at [@]", "AT"),
        ('IAX (note: does not say "2")', "I A X"),
        ("an inter-office IAX2 link", "AN INTER OFFICE IAX TWO LINK"),
        ("3D audio enabled", "THREE D AUDIO ENABLED"),
        ("[ascending tones]", ""),
        ("<beep decending>", ""),
        ("dial extension 8500 now", ""),
        ("a 28.8 kilobit modem", ""),
        ("H.323", ""),
    ],
)
def test_spoken(written, words):
    assert spoken(written) == words


@pytest.fixture
def small_asterisk(tmp_path, monkeypatch):
    """An unpacked package: 45 sentences and 29 single-word prompts."""
    sounds, texts = tmp_path / "sounds", tmp_path / "core-sounds-en.txt.gz"
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    lines = {f"digits/{i}": word for i, word in enumerate(words, 1)}
    lines |= {f"letters/{c}": c for c in "abcdefghijklmnopqrst"}
    for i in range(45):
        letter = "abcdefghijklmnopqrst"[i % 20]
        lines[f"menu-{i:02d}"] = f"press {words[i % 9]} and {words[(i + 3) % 9]} for {letter}."
    lines |= {"beep": "[tone]", "lost": "not recorded"}
    for name in lines.keys() - {"lost"}:
        tone(sounds / f"{name}.wav", 0.3, rate=8000)
    listed = "; Sounds\n\n" + "".join(f"{name}: {text}\n" for name, text in lines.items())
    texts.write_bytes(gzip.compress(listed.encode()))
    monkeypatch.setattr(asterisk, "unpack", lambda path: (sounds, texts))
    return texts


def test_asterisk(small_asterisk, tmp_path):
    corpus = asterisk.read(tmp_path)
    assert corpus == asterisk.read(tmp_path)
    assert "ONE SPEAKER" in corpus.description
    assert "composed" in corpus.description
    for split in SPLITS:
        kinds = {utterance.id.split("-")[0] for utterance in corpus.splits[split]}
        assert kinds == {"menu", "composed"}
    for utterance in corpus.splits["test"]:
        info = soundfile.info(utterance.audio_path)
        assert (info.samplerate, info.channels) == (16000, 1)
        assert info.duration >= 0.3 * (1 if "menu" in utterance.id else len(utterance.text.split()))


def test_asterisk_splits_share_no_recording_and_no_sentence(small_asterisk):
    texts = read_texts(small_asterisk)
    recipes = asterisk.plan(texts)
    used = {split: {p for r in recipes[split] for p in r.prompts} for split in SPLITS}
    assert not used["train"] & (used["dev"] | used["test"])
    assert not used["dev"] & used["test"]
    assert set.union(*used.values()) == texts.keys()
    sentences = {s: {r.text for r in recipes[s] if len(r.prompts) == 1} for s in SPLITS}
    assert not sentences["train"] & (sentences["dev"] | sentences["test"])
    trained = {word for r in recipes["train"] for word in r.text.split()}
    for recipe in recipes["test"]:
        if len(recipe.prompts) > 1:
            assert set(recipe.text.split()) <= trained
            assert not any(name.startswith("letters/") for name in recipe.prompts)


def test_asterisk_packages(tmp_path):
    assert asterisk_package.find(tmp_path) is None
    for package in asterisk_package.PACKAGES:
        (tmp_path / f"{package}_1.6.1-1_all.deb").write_bytes(b"nonsense")
    assert asterisk_package.find(tmp_path) == tmp_path
    if shutil.which("dpkg-deb") is None:
        pytest.skip("no dpkg-deb on this machine")
    with pytest.raises(UserError, match="damaged package"):
        asterisk_package.unpack(tmp_path)
