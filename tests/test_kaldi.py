"""Kaldi's data directories."""

import shutil

import numpy as np
import pytest
import soundfile

from asr_qat import notices
from asr_qat.corpora.readers import kaldi
from asr_qat.corpora.readers.kaldi_audio import kaldi_audio
from asr_qat.errors import UserError
from tests.corpus_fixtures import ids, tone
from tests.layout_fixtures import FOLDER, check


def test_directories_of_lhotse_and_kaldiio():
    """Pipes of Lhotse, WAV and FLAC in archives of kaldiio."""
    corpus = kaldi.read(FOLDER / "kaldi")
    check(corpus)
    assert ids(corpus.splits["train"]) == ["ann-1", "ann-2", "bob-1", "bob-2"]


@pytest.fixture
def directory(tmp_path):
    folder = tmp_path / "data/my train"
    tone(tmp_path / "wav/a b.wav", 0.5)
    tone(tmp_path / "wav/c.wav", 0.5)
    tone(tmp_path / "wav/d.wav", 0.5)
    folder.mkdir(parents=True)
    (folder / "wav.scp").write_text("a wav/a b.wav\nc wav/c.wav\nd  wav/d.wav\n")
    (folder / "text").write_text("a one two\nc\tthree\u2028four\nd\n", encoding="utf-8")
    return folder


def test_without_segments_and_speakers(directory):
    found = [item for items in kaldi.read(directory.parent).splits.values() for item in items]
    assert sorted((item.id, item.text, item.speaker) for item in found) == [
        ("a", "one two", ""),
        ("c", "three\u2028four", ""),
        ("d", "", ""),
    ]
    assert all(len(item.read(16000)) == 8000 for item in found)


def test_a_segment_to_the_end(directory):
    (directory / "segments").write_text("a1 a 0.1 0.3\na2  a\t0.3  -1\nc1 c 0 0.5\n")
    found = [item for items in kaldi.read(directory).splits.values() for item in items]
    assert {item.id: len(item.read(16000)) for item in found} == {
        "a1": 3200,
        "a2": 3200,
        "c1": 8000,
    }


def test_transcripts_without_audio_are_said(directory, caplog):
    notices.forget()
    (directory / "segments").write_text("a a 0.1 0.3\nc c 0 0.2\nc2 c 0.2 0.5\n")
    (directory / "text").write_text("a one\nc two\nc2 three\nd four\n")
    kaldi.read(directory)
    (said,) = caplog.messages
    assert said.startswith(f"{directory / 'text'}: 1 transcript without audio, such as d: left out")


def test_all_bad_lines_are_named_at_once(directory):
    lines = ["a1 a 0.1 0.3", "a2 b 0 1", "a3 a 0.3 0.2", "a4 a", "a1 a 0 1", "a5 a x 1"]
    (directory / "segments").write_text("\n".join(lines))
    with pytest.raises(UserError) as caught:
        kaldi.read(directory)
    assert str(caught.value).split(": ", 1) == [
        str(directory / "segments"),
        "line 2: recording 'b' is not in wav.scp; line 3: from 0.3 s to 0.2 s is nothing; lines 4, "
        "6: expected `UTTERANCE RECORDING SECONDS SECONDS`; line 5: 'a1' a second time",
    ]


def test_no_transcripts(directory):
    (directory / "text").unlink()
    with pytest.raises(UserError, match="no `text` with the transcripts"):
        kaldi.read(directory)


@pytest.mark.parametrize(
    "pipe",
    [
        "flac -c -d -s 'wav/a b.wav' |",
        "/usr/bin/flac -dcs 'wav/a b.wav' |",
        'sph2pipe -f wav -p -c 1 "wav/a b.wav" |',
        "sox 'wav/a b.wav' -t wav -r 16k - |",
        "ffmpeg -v error -i 'wav/a b.wav' -ar 16000 -ac 1 -f wav - |",
        "cat wav/a\\ b.wav |",
    ],
)
def test_a_pipe_that_decodes_is_the_file(directory, pipe):
    assert kaldi_audio(pipe, directory).samefile(directory.parents[1] / "wav/a b.wav")


@pytest.mark.parametrize(
    "pipe",
    [
        "sox wav/c.wav -t wav - speed 1.1 |",
        "sox --vol 0.5 -t wav wav/c.wav -t wav - |",
        "ffmpeg -ss 3 -i wav/c.wav -f wav - |",
        "ffmpeg -i wav/c.wav -map_channel 0.0.1 -f wav - |",
        "sph2pipe -f wav -p -c 2 wav/c.wav |",
        "flac -c -d -s wav/c.wav | sox -t wav - -t wav - |",
        "cat wav/c.wav wav/c.wav |",
        "touch hacked; cat wav/c.wav |",
        "cat $(touch hacked) |",
        "cat 'wav/c.wav |",
    ],
)
def test_other_pipes_are_refused_and_not_run(directory, pipe, monkeypatch):
    monkeypatch.chdir(directory)
    (directory / "wav.scp").write_text(f"a {pipe}\nc {pipe}\n")
    with pytest.raises(UserError, match=r"wav.scp: lines 1-2: a pipe .* not run: .*`wav-copy"):
        kaldi.read(directory)
    assert not (directory / "hacked").exists()


def test_a_chosen_channel_of_several_is_refused(directory):
    soundfile.write(directory / "two.wav", np.zeros((1600, 2)), 16000)
    with pytest.raises(UserError, match="a pipe"):
        kaldi_audio("sph2pipe -f wav -c 1 two.wav |", directory)
    assert kaldi_audio("sph2pipe -f wav two.wav |", directory).is_file()


def test_archives_of_features_are_refused(directory):
    (directory / "feats.ark").write_bytes(b"a \0BFM 1234567890")
    with pytest.raises(UserError, match="no WAV at byte 2 of .*feats.ark: features"):
        kaldi_audio("feats.ark:2", directory)
    with pytest.raises(UserError, match="absent.ark is missing"):
        kaldi_audio("absent.ark:2", directory)


def test_directories_that_share_utterances(directory):
    shutil.copytree(directory, directory.parent / "my train_sp")
    with pytest.raises(UserError, match="two utterances are called 'a', 'c', 'd': rename one"):
        kaldi.read(directory.parent)
