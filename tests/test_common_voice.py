"""Common Voice, and AudioFolder."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from asr_qat.corpora.readers import audio_folder, common_voice
from asr_qat.errors import UserError
from tests.corpus_fixtures import ids, tone
from tests.layout_fixtures import FOLDER, UTTERANCES, check


def alike(heard, recorded):
    """MP3: the same sound at the same time."""
    assert abs(len(heard) - len(recorded)) <= 1
    both = slice(200, min(len(heard), len(recorded)) - 200)
    assert np.corrcoef(heard[both], recorded[both])[0, 1] > 0.99


def test_common_voice():
    corpus = common_voice.read(FOLDER / "common_voice")
    for items in corpus.splits.values():
        assert all(len(item.speaker) == 60 for item in items)
    short = {
        split: [dataclasses.replace(item, speaker=item.speaker[:3]) for item in items]
        for split, items in corpus.splits.items()
    }
    check(dataclasses.replace(corpus, splits=short), compare=alike)


@pytest.fixture
def release(tmp_path):
    return shutil.copytree(FOLDER / "common_voice", tmp_path / "en")


def test_validated_alone(release):
    for split in ("train", "dev", "test"):
        (release / f"{split}.tsv").unlink()
    splits = common_voice.read(release).splits
    assert sum(map(len, splits.values())) == len(UTTERANCES)


def test_quotes_are_letters_and_line_separators_are_no_ends(release):
    head = "client_id\tpath\tsentence\n"
    lines = ['a\tone.mp3\t"Not closed', "b\ttwo\tnext\u2028line\x0b", 'c\tthree.mp3\t""both""']
    (release / "train.tsv").write_text(head + "\r\n".join(lines), encoding="utf-8", newline="")
    found = common_voice.read(release).splits["train"]
    assert [item.text for item in found] == ['"Not closed', "next\u2028line\x0b", '""both""']
    assert [item.audio_path.name for item in found] == ["one.mp3", "two.mp3", "three.mp3"]


def test_bad_rows_of_a_table(release):
    with (release / "train.tsv").open("a") as file:
        file.write("x\ty.mp3\n\nx\ty.mp3\tz\n")
    with pytest.raises(UserError, match="train.tsv: line 6: 2 cells, expected 7; line 8: 3 cells"):
        common_voice.read(release)
    (release / "train.tsv").write_text("client_id\tpath\n")
    with pytest.raises(UserError, match="train.tsv: no column sentence"):
        common_voice.read(release)
    with pytest.raises(UserError, match="neither train.tsv nor validated.tsv"):
        common_voice.read(release / "clips")


def test_audio_folder():
    corpus = audio_folder.read(FOLDER / "audio_folder")
    check(corpus)
    assert ids(corpus.splits["dev"]) == ["validation/cat-1"]


def test_files_of_the_same_name_in_several_splits(tmp_path):
    for split in ("train", "validation", "test"):
        tone(tmp_path / split / "0.wav")
        (tmp_path / split / "metadata.csv").write_text("file_name,text\n0.wav,one\n")
    splits = audio_folder.read(tmp_path).splits
    assert {split: ids(items) for split, items in splits.items()} == {
        "train": ["train/0"],
        "dev": ["validation/0"],
        "test": ["test/0"],
    }


def test_one_table_above_the_splits(tmp_path):
    lines = []
    for name in ("train/a", "train/sub/b", "validation/c", "test/d"):
        tone(tmp_path / f"{name}.wav")
        lines.append({"file_name": f"{name}.wav", "transcript": f"word\u2028{name}", "speaker": 0})
    table = tmp_path / "metadata.jsonl"
    table.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines))
    splits = audio_folder.read(tmp_path).splits
    assert {split: ids(items) for split, items in splits.items()} == {
        "train": ["train/a", "train/sub/b"],
        "dev": ["validation/c"],
        "test": ["test/d"],
    }
    assert splits["dev"][0].text == "word\u2028validation/c"
    assert splits["dev"][0].speaker == "0"


def test_quoted_cells_with_line_feeds(tmp_path):
    table = tmp_path / "metadata.csv"
    rows = ["file_name,text", '"a, b.wav","one\ntwo"', 'c.wav,""', "d.wav,x,y", ",x"]
    table.write_text("\n".join(rows))
    with pytest.raises(UserError, match="line 5: more cells than columns; line 6: no file_name"):
        audio_folder.read(tmp_path)
    table.write_text("\n".join([*rows[:3], "d.wav,x"]))
    splits = audio_folder.read(tmp_path).splits
    found = {item.id: item.text for items in splits.values() for item in items}
    assert found == {"a, b": "one\ntwo", "c": "", "d": "x"}


@pytest.mark.parametrize(
    ("head", "message"),
    [("path,text", "no column file_name, but path, text"), ("file_name,a", "no transcripts: name")],
)
def test_tables_without_their_columns(tmp_path, head, message):
    (tmp_path / "metadata.csv").write_text(f"{head}\na,b\n")
    with pytest.raises(UserError, match=f"metadata.csv: {message}"):
        audio_folder.read(tmp_path)
    with pytest.raises(UserError, match="neither metadata.csv nor metadata.jsonl"):
        (tmp_path / "metadata.csv").unlink()
        audio_folder.read(tmp_path)
