"""Six hours of LibriSpeech by speaker."""

import json

import numpy as np
import pytest
import soundfile

from asr_qat.errors import UserError
from experiments.continuous_speech.speakers import DEV, TEST, TRAIN, six_hours


def write_manifest(folder, speakers):
    folder.mkdir()
    lines = []
    for speaker in speakers:
        soundfile.write(folder / f"{speaker}-1-0000.wav", np.zeros(1600), 16000)
        entry = {"audio_filepath": f"{speaker}-1-0000.wav", "text": "a word", "speaker": speaker}
        lines.append(json.dumps(entry))
    (folder / "manifest.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def write_librispeech(folder, speakers):
    for speaker in speakers:
        chapter = folder / "train-clean-5" / speaker / "7"
        chapter.mkdir(parents=True)
        soundfile.write(chapter / f"{speaker}-7-0000.flac", np.zeros(1600), 16000)
        (chapter / f"{speaker}-7.trans.txt").write_text(f"{speaker}-7-0000 A WORD\n")
    return folder


def test_speakers_are_held_out_whole_wherever_they_lie(tmp_path):
    here = write_librispeech(tmp_path / "official", [*TRAIN[:10], DEV[0], "9999"])
    there = write_manifest(tmp_path / "manifest", [*TRAIN[8:], *DEV, *TEST])
    corpus = six_hours([here, there])
    found = {split: {u.speaker for u in corpus.splits[split]} for split in corpus.splits}
    assert found == {"train": set(TRAIN), "dev": set(DEV), "test": set(TEST)}
    assert len(corpus.splits["train"]) == len(TRAIN) + 2
    assert len(corpus.splits["dev"]) == len(DEV) + 1
    assert len({*TRAIN, *DEV, *TEST}) == 30


def test_a_missing_speaker_is_named(tmp_path):
    folder = write_manifest(tmp_path / "manifest", [*TRAIN[1:], *DEV, *TEST])
    with pytest.raises(UserError, match=f"speakers {TRAIN[0]}$"):
        six_hours([folder])
