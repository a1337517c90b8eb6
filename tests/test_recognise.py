"""Corpora that are recognised, and what splits share."""

import argparse
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

from asr_qat.commands import prepare as command
from asr_qat.corpora import fallback
from asr_qat.corpora.overlap import overlaps
from asr_qat.corpora.recognise import LAYOUTS, recognise
from asr_qat.corpora.recordings import recordings
from asr_qat.corpora.utterance import Utterance
from asr_qat.errors import UserError, exit_code
from tests.corpus_fixtures import tone
from tests.layout_fixtures import FOLDER, UTTERANCES, check
from tests.layout_fixtures import tone as wave

CORPORA = {
    "nemo": "nemo",
    "nemo_tarred": "nemo",
    "kaldi": "kaldi",
    "lhotse_cuts": "lhotse",
    "lhotse_manifests": "lhotse",
    "lhotse_shar": "lhotse",
    "hf_saved": "huggingface",
    "hf_parquet": "huggingface",
    "audio_folder": "audiofolder",
    "common_voice": "common-voice",
}


@pytest.mark.parametrize("layout", CORPORA)
def test_layouts(layout):
    name, seen = recognise(FOLDER / layout)
    assert name == CORPORA[layout]
    assert Path(seen).exists()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("nemo/test_manifest.json", "nemo"),
        ("nemo_tarred/train", "nemo"),
        ("nemo_tarred/train/audio__OP_0..1_CL_.tar", "nemo"),
        ("kaldi/dev", "kaldi"),
        ("lhotse_cuts/cuts_dev.jsonl.gz", "lhotse"),
        ("lhotse_shar/test", "lhotse"),
        ("hf_saved/train", "huggingface"),
        ("hf_parquet/data/test-00000-of-00001.parquet", "huggingface"),
        ("audio_folder/train/metadata.csv", "audiofolder"),
        ("common_voice/validated.tsv", "common-voice"),
    ],
)
def test_parts_of_them(path, name):
    assert recognise(FOLDER / path)[0] == name


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("an4_sphere.tar.gz", "an4"),
        ("an4/etc/an4_train.fileids", "an4"),
        ("LibriSpeech/dev-clean/1/2/3.trans.txt", "librispeech"),
        ("train-clean-100.tar.gz", "librispeech"),
        ("anna/001.txt", "manifest"),
        ("dev.jsonl", "manifest"),
    ],
)
def test_corpora_that_were_known_before(tmp_path, file, name):
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text('{"audio_filepath": "a.wav"}')
    tone(tmp_path / "anna/001.ogg")
    assert recognise(tmp_path)[0] == name


def test_more_than_one_layout(tmp_path):
    shutil.copytree(FOLDER / "nemo", tmp_path, dirs_exist_ok=True)
    shutil.copytree(FOLDER / "kaldi", tmp_path, dirs_exist_ok=True)
    with pytest.raises(UserError) as caught:
        recognise(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: looks like nemo ({tmp_path}/dev_manifest.json) and kaldi "
        f"({tmp_path}/dev/wav.scp): say which with --corpus"
    )


def test_nothing_that_is_known(tmp_path):
    tone(tmp_path / "a.wav")
    (tmp_path / "metadata.csv").write_text("a|words\n")
    (tmp_path / "config.json").write_text('{"a": 1}')
    with pytest.raises(UserError, match="no corpus in it that is known; looked for: ") as caught:
        recognise(tmp_path)
    assert "\n" not in str(caught.value)
    assert all(layout.looked_for in str(caught.value) for layout in LAYOUTS)
    with pytest.raises(UserError, match="nowhere: no such file or folder"):
        recognise(tmp_path / "nowhere")


def test_data_without_a_name_is_recognised(caplog):
    caplog.set_level(logging.INFO)
    check(fallback.read_corpus(None, FOLDER / "kaldi"))
    expected = f"{FOLDER}/kaldi: taken for --corpus kaldi, known by {FOLDER}/kaldi/dev/wav.scp"
    assert caplog.messages == [expected]
    fallback.read_corpus("auto", FOLDER / "kaldi", quiet=True)
    assert len(caplog.messages) == 1
    with pytest.raises(UserError, match="auto: name the folder or file of your corpus"):
        fallback.read_corpus("auto")


def test_what_splits_share():
    def utterance(name, speaker):
        return Utterance(name, Path(f"/a/{name}.wav"), "", speaker)

    splits = {
        "train": [utterance(str(i), "ann" if i else "") for i in range(5)],
        "dev": [utterance("x", "")],
        "test": [utterance(str(i), "ann") for i in range(1, 5)],
    }
    assert overlaps(splits) == [
        "train and test share 4 recordings: /a/1.wav, /a/2.wav, /a/3.wav, ...",
        "train and test share 1 speaker: ann",
    ]


def test_parts_of_a_recording_are_that_recording():
    first = Utterance("a", Path("/a.wav"), "", "", 0.0, 1.0)
    second = Utterance("b", Path("/a.wav"), "", "", 1.0, 1.0)
    assert overlaps({"train": [first], "dev": [second]}) == [
        "train and dev share 1 recording: /a.wav"
    ]


@pytest.mark.parametrize("layout", ["nemo_tarred", "kaldi", "hf_parquet"])
def test_what_was_prepared_is_scored_on_the_same_recordings(layout, tmp_path):
    pytest.importorskip("pyarrow")
    words = ("--data", FOLDER / layout, "--out", tmp_path, "--vocab-size", 40, "--quiet")
    assert prepare(*words, "--model-type", "char") == 0
    for split in ("train", "dev", "test"):
        facts = {fact["text"]: fact for fact in UTTERANCES.values()}
        for item in recordings(tmp_path, split):
            fact = facts[item.text] if item.text in facts else UTTERANCES["ann-2"]
            np.testing.assert_array_equal(item.read(16000), wave(fact["samples"], fact["step"]))


def prepare(*words):
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    args = parser.parse_args(["prepare", *map(str, words)])
    return exit_code("asr-qat", lambda: args.run(args))


def test_command(tmp_path, capsys, caplog):
    shutil.copytree(FOLDER / "common_voice", tmp_path / "en")
    shutil.copy(tmp_path / "en/train.tsv", tmp_path / "en/test.tsv")
    with (tmp_path / "en/test.tsv").open("a") as file:
        file.write("x\tother.mp3\n")
    out = tmp_path / "out"
    words = ("--data", tmp_path / "en", "--out", out, "--vocab-size", 30, "--model-type", "char")
    assert prepare(*words) == 1
    assert "test.tsv: line 6: 2 cells, expected 7" in capsys.readouterr().err
    assert not out.exists()
    rows = (tmp_path / "en/train.tsv").read_text(encoding="utf-8").splitlines()
    renamed = rows[1].replace("common_voice_en_train0", "clips_are_one_folder")
    (tmp_path / "en/test.tsv").write_text("\n".join([rows[0], renamed]), encoding="utf-8")
    clips = tmp_path / "en/clips"
    (clips / "common_voice_en_train0.mp3").rename(clips / "clips_are_one_folder.mp3")
    (tmp_path / "en/train.tsv").write_text("\n".join([rows[0], *rows[2:]]), encoding="utf-8")
    assert prepare(*words) == 0
    assert "common-voice: train and test share 1 speaker: annann" in caplog.text
    assert "train: 3 utterances" in capsys.readouterr().out
