"""Manifests and folders of recordings."""

import json

import pytest

from asr_qat import notices
from asr_qat.corpora.readers import manifest
from asr_qat.corpora.recognise import recognise
from asr_qat.corpora.utterance import SPLITS, Utterance
from asr_qat.errors import UserError
from tests.corpus_fixtures import ids, speakers, tone


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
    path = tmp_path / "audio/train00.wav"
    assert first == Utterance("audio/train00", path, "word 0", "me", 0.0, 0.2, whole=True)
    assert first.audio_path.is_file()


def test_a_test_manifest_alone(tmp_path):
    write_manifest(tmp_path / "test.jsonl", 2)
    corpus = manifest.read(tmp_path)
    assert corpus.splits.keys() == {"test"}
    assert "held out" not in corpus.description


@pytest.mark.parametrize("split", ["dev", "test"])
def test_one_manifest_of_a_split(tmp_path, split):
    write_manifest(tmp_path / f"{split}.jsonl", 12)
    splits = manifest.read(tmp_path / f"{split}.jsonl").splits
    assert {name: len(utterances) for name, utterances in splits.items()} == {split: 12}


def test_segments(tmp_path):
    """Those of one recording have names of their own; offset 0.0 is an offset."""
    lines = [{"offset": 0.0, "duration": 0.5}, {"offset": 1.25, "duration": 2}, {"offset": 3.5}]
    whole = {"duration": 4.0}
    (tmp_path / "test.jsonl").write_text(
        "".join(json.dumps({"audio_filepath": "a.wav"} | line) + "\n" for line in [*lines, whole])
    )
    first, second, last, all_of_it = manifest.read(tmp_path).splits["test"]
    assert (first.id, first.offset, first.duration) == ("a-0.000", 0.0, 0.5)
    assert (second.id, second.offset, second.duration) == ("a-1.250", 1.25, 2.0)
    assert (last.id, last.offset, last.duration) == ("a-3.500", 3.5, None)
    assert [item.segment for item in (first, second, last)] == [True, True, True]
    assert (all_of_it.id, all_of_it.segment, all_of_it.whole) == ("a", False, True)


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


def test_other_usual_names_of_splits(tmp_path, caplog):
    """Nothing of `valid` is lost; what is in no split is said."""
    notices.forget()
    for folder in ("train", "valid", "eval", "noise/street"):
        tone(tmp_path / folder / "a.flac")
        (tmp_path / folder / "a.txt").write_text("hello")
    splits = manifest.read(tmp_path).splits
    assert [ids(splits[split]) for split in SPLITS] == [["train/a"], ["valid/a"], ["eval/a"]]
    (said,) = caplog.messages
    assert f"{tmp_path / 'noise/street/a.flac'}: in none of eval, train, valid: left out" in said
    for name in ("train", "validation", "test"):
        write_manifest(tmp_path / f"{name}.jsonl", 2)
    assert recognise(tmp_path)[0] == "manifest"
    assert len(manifest.read(tmp_path).splits["dev"]) == 2
    assert manifest.read(tmp_path / "validation.jsonl").splits.keys() == {"dev"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1: not valid JSON"),
        ("[]", "line 1: expected"),
        ('{"text": "no audio"}', "line 1: expected"),
        ('{"audio_filepath": ""}', "line 1: expected"),
        (r'{"audio_filepath": "a\u0000.wav"}', "line 1: expected"),
        (f'{{"audio_filepath": "{"a" * 300}"}}', "line 1: File name too long"),
        ('{"audio_filepath": "a.wav", "text": 5}', "line 1: text is 5, expected"),
        ('{"audio_filepath": "a.wav", "offset": -1}', "line 1: offset is -1, expected seconds"),
        ('{"audio_filepath": "a.wav", "duration": "2 s"}', "line 1: duration is '2 s', expected"),
        ('{"audio_filepath": "a.wav", "duration": 0}', "line 1: duration is 0, expected"),
        ('{"audio_filepath": "a.wav"}\n{"audio_filepath": "a.wav"}', "called 'a': rename"),
    ],
)
def test_manifest_mistakes(tmp_path, line, message):
    (tmp_path / "train.jsonl").write_text(line)
    with pytest.raises(UserError, match=message) as caught:
        manifest.read(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_nothing_to_read(tmp_path):
    with pytest.raises(UserError, match="neither train.jsonl or test.jsonl nor audio"):
        manifest.read(tmp_path)
