"""Every reader on a small copy of its corpus's layout; the real AN4 where it is in reach."""

import gzip
import json
import shutil
import tarfile

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from asr_qat.corpora import an4, asterisk, asterisk_package, librispeech, manifest
from asr_qat.corpora.asterisk_text import read_texts, spoken
from asr_qat.corpora.hold_out import complete_splits, hold_out_speakers
from asr_qat.corpora.locate import locate
from asr_qat.corpora.readers import reader
from asr_qat.corpora.unpack import unpacked
from asr_qat.corpora.utterance import SPLITS, Utterance
from asr_qat.errors import UserError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ASR_QAT_CACHE", str(tmp_path / "cache"))


def tone(path, seconds=0.2, rate=16000):
    path.parent.mkdir(parents=True, exist_ok=True)
    audio = 0.1 * np.sin(np.arange(round(seconds * rate)) * 0.3)
    soundfile.write(path, audio, rate, format="NIST" if path.suffix == ".sph" else None)


def ids(utterances):
    return [utterance.id for utterance in utterances]


def speakers(utterances):
    return {utterance.speaker for utterance in utterances}


# Held-out splits


@given(st.lists(st.integers(0, 40), min_size=3, max_size=60))
def test_complete_splits_partition_by_speaker_or_utterance(numbers):
    train = [Utterance(f"u{i:03d}", None, "A", f"s{s:02d}") for i, s in enumerate(numbers)]
    splits, note = complete_splits({"train": train}, "corpus")
    assert sorted(ids(sum((splits[split] for split in SPLITS), []))) == ids(train)
    assert all(splits[split] for split in SPLITS)
    if "speakers" in note:
        assert not speakers(splits["train"]) & speakers(splits["dev"] + splits["test"])
        assert not speakers(splits["dev"]) & speakers(splits["test"])
    else:
        assert len(speakers(train)) < 10


def test_given_splits_are_kept():
    utterances = [Utterance(str(i), None, "A", "s") for i in range(4)]
    splits = {"train": utterances[:2], "dev": utterances[2:3], "test": utterances[3:]}
    assert complete_splits(splits, "corpus") == (splits, "")


def test_too_little_to_split():
    with pytest.raises(UserError, match="2 training utterances and no dev or test"):
        complete_splits({"train": [Utterance(str(i), None, "A", "s") for i in "ab"]}, "corpus")


def test_hold_out_speakers():
    train = [Utterance(str(i), None, "A", f"s{i % 5}") for i in range(10)]
    rest, held = hold_out_speakers(train, every=3, offset=1)
    assert speakers(held) == {"s1", "s4"}
    assert ids(held) == ["1", "4", "6", "9"]
    assert len(rest) == 6


# AN4


@pytest.fixture
def small_an4(tmp_path):
    folder = tmp_path / "an4"
    (folder / "etc").mkdir(parents=True)
    lists = {"train": range(24), "test": range(30, 33)}
    for split, numbers in lists.items():
        part = {"train": "an4_clstk", "test": "an4test_clstk"}[split]
        names = [f"an{i}-s{i:02d}-b" for i in numbers]
        file_ids = [f"{part}/{name.split('-')[1]}/{name}" for name in names]
        mark = ("<s> ", " </s>") if split == "train" else ("", "")
        lines = [f"{mark[0]}YES SIX{mark[1]} ({name})" for name in names]
        suffix = ".full130" if split == "test" else ""
        (folder / f"etc/an4_{split}.fileids{suffix}").write_text("\n".join(file_ids) + "\n")
        (folder / f"etc/an4_{split}.transcription{suffix}").write_text("\n".join(lines) + "\n")
        for file_id in file_ids:
            tone(folder / "wav" / f"{file_id}.sph")
    return folder


def test_an4(small_an4):
    corpus = an4.read(small_an4)
    assert speakers(corpus.splits["dev"]) == {"s11", "s23"}
    assert len(corpus.splits["train"]) == 22
    assert ids(corpus.splits["test"]) == ["an30-s30-b", "an31-s31-b", "an32-s32-b"]
    for split in SPLITS:
        for utterance in corpus.splits[split]:
            assert utterance.text == "YES SIX"
            assert utterance.audio_path.is_file()


def test_an4_from_its_archive(small_an4, tmp_path):
    archive = tmp_path / "an4_sphere.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(small_an4, "an4")
    shutil.rmtree(small_an4)
    first, second = an4.read(archive), an4.read(archive)
    assert first == second
    assert first.splits["test"][0].audio_path.is_file()


def test_an4_damage(small_an4, tmp_path):
    archive = tmp_path / "an4_sphere.tar.gz"
    archive.write_bytes(b"\x1f\x8b nonsense")
    with pytest.raises(UserError, match="an4_sphere.tar.gz: damaged archive"):
        an4.read(archive)
    (small_an4 / "etc/an4_train.transcription").write_text("YES\n")
    with pytest.raises(UserError, match="an4_train.transcription: line 1"):
        an4.read(small_an4)
    (small_an4 / "etc/an4_train.transcription").unlink()
    with pytest.raises(UserError, match="an4_train.transcription: missing"):
        an4.read(small_an4)


def test_archives_cannot_write_elsewhere(tmp_path):
    (tmp_path / "evil").write_text("x")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(tmp_path / "evil", "../../evil-copy")
    with pytest.raises(UserError, match="a.tar: damaged archive"):
        unpacked(tmp_path / "a.tar")
    assert not list(tmp_path.rglob("evil-copy"))


def test_real_an4(monkeypatch):
    monkeypatch.delenv("ASR_QAT_CACHE")  # unpacked once, not for every run
    monkeypatch.setattr("asr_qat.corpora.locate.AN4_URL", "http://127.0.0.1:9/")
    try:
        path = locate("an4", quiet=True)
    except UserError as error:
        pytest.skip(f"AN4 is not here: {error}")
    splits = an4.read(path).splits
    assert {split: len(splits[split]) for split in SPLITS} == {"train": 869, "dev": 79, "test": 130}
    assert [len(speakers(splits[split])) for split in SPLITS] == [68, 6, 10]
    everyone = [speakers(splits[split]) for split in SPLITS]
    assert len(set.union(*everyone)) == 84
    everything = sum(splits.values(), [])
    assert len(set(ids(everything))) == 1078
    assert all(utterance.text and utterance.audio_path.is_file() for utterance in everything)
    assert not any("<" in utterance.text for utterance in everything)


# LibriSpeech


@pytest.fixture
def small_librispeech(tmp_path):
    def small_librispeech(part, speaker_ids):
        for speaker in speaker_ids:
            chapter = tmp_path / "LibriSpeech" / part / speaker / "7"
            names = [f"{speaker}-7-{i:04d}" for i in range(2)]
            for name in names:
                tone(chapter / f"{name}.flac")
            lines = "".join(f"{name} HELLO THERE\n" for name in names)
            (chapter / f"{speaker}-7.trans.txt").write_text(lines)
        return tmp_path / "LibriSpeech"

    return small_librispeech


def test_librispeech(small_librispeech):
    small_librispeech("train-clean-100", ["1", "2"])
    small_librispeech("train-other-500", ["3"])
    small_librispeech("dev-clean", ["4"])
    folder = small_librispeech("test-other", ["5"])
    (folder / "SPEAKERS.TXT").touch()
    corpus = librispeech.read(folder)
    assert [speakers(corpus.splits[split]) for split in SPLITS] == [{"1", "2", "3"}, {"4"}, {"5"}]
    assert corpus.splits["test"][0].text == "HELLO THERE"
    assert "held out" not in corpus.description


def test_one_part_of_librispeech_is_split_by_speaker(small_librispeech):
    corpus = librispeech.read(small_librispeech("train-clean-5", [f"{i}" for i in range(10, 22)]))
    assert [speakers(corpus.splits[split]) for split in ("dev", "test")] == [{"14"}, {"19"}]
    assert len(corpus.splits["train"]) == 20
    assert "held out of train by whole speakers" in corpus.description


def test_librispeech_archives(small_librispeech, tmp_path):
    folder = small_librispeech("train-clean-5", [f"{i}" for i in range(10, 22)])
    (tmp_path / "archives").mkdir()
    with tarfile.open(tmp_path / "archives/train-clean-5.tar.gz", "w:gz") as tar:
        tar.add(folder, "LibriSpeech")
    corpus = librispeech.read(tmp_path / "archives")
    assert len(corpus.splits["train"]) == 20
    assert corpus.splits["train"][0].audio_path.is_file()


def test_missing_audio_and_missing_words_stay_visible(small_librispeech):
    folder = small_librispeech("train-clean-5", [f"{i}" for i in range(10, 22)])
    chapter = folder / "train-clean-5/10/7"
    (chapter / "10-7-0000.flac").unlink()
    tone(chapter / "10-7-0009.flac")
    train = {u.id: u for u in librispeech.read(folder).splits["train"]}
    assert train["10-7-0000"].audio_path == chapter / "10-7-0000.flac"
    assert train["10-7-0009"].text == ""


def test_librispeech_without_training_part(small_librispeech):
    with pytest.raises(UserError, match="no train-"):
        librispeech.read(small_librispeech("dev-clean", ["4"]))
    (small_librispeech("dev-clean", ["4"]) / "train-clean-5").mkdir()
    with pytest.raises(UserError, match="train-clean-5: no SPEAKER"):
        librispeech.read(small_librispeech("dev-clean", ["4"]))


# Manifests and folders


def write_manifest(path, count, **extra):
    lines = []
    for i in range(count):
        name = f"{path.stem}{i:02d}.wav"
        tone(path.parent / "audio" / name)
        lines.append(json.dumps({"audio_filepath": f"audio/{name}", "text": f"word {i}"} | extra))
    path.write_text("\n".join(lines) + "\n")


def test_manifests(tmp_path):
    for split, count in (("train", 3), ("dev", 1), ("test", 2)):
        write_manifest(tmp_path / f"{split}.jsonl", count, duration=0.2, speaker="me")
    splits = manifest.read(tmp_path).splits
    assert [len(splits[split]) for split in SPLITS] == [3, 1, 2]
    first = splits["train"][0]
    assert first == Utterance("audio/train00", tmp_path / "audio/train00.wav", "word 0", "me")
    assert first.audio_path.is_file()


def test_one_manifest_is_split(tmp_path):
    write_manifest(tmp_path / "mine.jsonl", 20)
    splits = manifest.read(tmp_path / "mine.jsonl").splits
    assert ids(splits["dev"]) == ["audio/mine04", "audio/mine14"]
    assert ids(splits["test"]) == ["audio/mine09", "audio/mine19"]
    assert len(splits["train"]) == 16


def test_folder_of_recordings(tmp_path):
    for speaker in ("ann", "bob"):
        for i in range(3):
            tone(tmp_path / speaker / f"{i}.wav")
            (tmp_path / speaker / f"{i}.txt").write_text("hello\n")
    (tmp_path / "bob/2.txt").unlink()
    splits = manifest.read(tmp_path).splits
    everything = sum((splits[split] for split in SPLITS), [])
    assert [len(splits[split]) for split in SPLITS] == [4, 1, 1]
    assert speakers(everything) == {"ann", "bob"}
    assert {u.id for u in everything if not u.text} == {"bob/2"}


def test_split_folders(tmp_path):
    for split in SPLITS:
        tone(tmp_path / split / "a.flac")
        (tmp_path / split / "a.txt").write_text(split)
    splits = manifest.read(tmp_path).splits
    assert [ids(splits[split]) for split in SPLITS] == [["train/a"], ["dev/a"], ["test/a"]]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1: not valid JSON"),
        ("[]", "line 1: expected"),
        ('{"text": "no audio"}', "line 1: expected"),
        ('{"audio_filepath": ""}', "line 1: expected"),
        ('{"audio_filepath": "a.wav", "text": 5}', "line 1: text is 5, expected"),
        ('{"audio_filepath": "a.wav"}\n{"audio_filepath": "a.wav"}', "called 'a': rename"),
    ],
)
def test_manifest_mistakes(tmp_path, line, message):
    (tmp_path / "train.jsonl").write_text(line)
    with pytest.raises(UserError, match=message) as caught:
        manifest.read(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_nothing_to_read(tmp_path):
    with pytest.raises(UserError, match="neither train.jsonl nor audio"):
        manifest.read(tmp_path)


# Asterisk


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


def test_readers():
    assert reader("an4") is an4.read
    with pytest.raises(UserError, match="choose one of an4, librispeech, manifest, asterisk"):
        reader("timit")
