"""`tflite-export evaluate` of manifests with segments, and with recordings that cannot be read."""

import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from tests.conftest import SAMPLE_RATE, utterance
from tests.tones_fixtures import TEXT, tones_file

pytest_plugins = ["tests.tones_fixtures"]
pytestmark = pytest.mark.runtime


def evaluate(kind, manifest, *more) -> tuple[int, dict, str]:
    words = ("evaluate", tones_file(kind), "--data", manifest, "--quiet", "--json", *more)
    program = [sys.executable, "-m", "tflite_export.cli", *map(str, words)]
    said = manifest.with_suffix(".said")
    done = subprocess.run([*program, "--hypotheses", said], capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


def write(path, *entries):
    path.write_text("".join(json.dumps({"text": TEXT} | entry) + "\n" for entry in entries))
    return path


@pytest.fixture
def long(tmp_path):
    """The words of TEXT twice, with two seconds of silence between; and where they begin."""
    words = utterance(TEXT.split(), 0)
    silence = np.zeros(2 * SAMPLE_RATE, np.float32)
    soundfile.write(tmp_path / "long.wav", np.concatenate([words, silence, words]), SAMPLE_RATE)
    return len(words) / SAMPLE_RATE


@pytest.mark.parametrize("kind", ["ctc", "live"])
def test_segments_are_scored(long, tmp_path, kind):
    first = {"audio_filepath": "long.wav", "offset": 0.0, "duration": long}
    second = {"audio_filepath": "long.wav", "offset": long + 2}
    streaming = ["--streaming"] if kind == "live" else []
    code, found, err = evaluate(kind, write(tmp_path / "m.jsonl", first, second), *streaming)
    assert (code, err) == (0, "")
    assert found["utterances"] == 2
    assert (found if kind == "ctc" else found["second"])["wer"] == 0
    whole = write(tmp_path / "whole.jsonl", {"audio_filepath": "long.wav"})
    _, found, _ = evaluate(kind, whole, *streaming)
    assert (found if kind == "ctc" else found["second"])["wer"] >= 1  # the words come twice


@pytest.mark.parametrize("kind", ["ctc", "live"])
def test_what_cannot_be_read_is_left_out_and_said(long, tones_recording, tmp_path, kind):
    (tmp_path / "bad.wav").write_bytes(b"RIFFnonsense")
    bad = [{"audio_filepath": name} for name in ("bad.wav", "none.wav")]
    beyond = {"audio_filepath": str(tones_recording), "offset": 600}
    good = {"audio_filepath": str(tones_recording)}
    manifest = write(tmp_path / "m.jsonl", bad[0], good, bad[1], beyond)
    streaming = ["--streaming"] if kind == "live" else []
    code, found, err = evaluate(kind, manifest, *streaming)
    assert (found["utterances"], found["left_out"]) == (1, 3)
    assert (found if kind == "ctc" else found["second"])["wer"] == 0
    *named, last = err.splitlines()
    assert [line.split(": ")[2] for line in named] == ["line 1", "line 3", "line 4"]
    assert "offset 600 s, but it lasts" in named[2]
    assert last.endswith("3 of 4 recordings cannot be read, see above: the score is of the other 1")
    assert code == 1


def test_nothing_can_be_read(tmp_path):
    none = {"audio_filepath": "none.wav"}
    code, found, err = evaluate("ctc", write(tmp_path / "m.jsonl", none, none | {"id": "b"}))
    assert (code, found) == (1, {})
    assert "none of 2 recordings can be read, see above" in err
    code, _, err = evaluate("ctc", write(tmp_path / "m.jsonl", none))
    path = tmp_path / "none.wav"
    assert (
        err == f"tflite-export: error: {tmp_path / 'm.jsonl'}: line 1: {path}: no such audio file\n"
    )


def test_a_wrong_duration_is_said(tones_recording, tmp_path):
    """It is that of a segment: what there is of it is taken."""
    short = {"audio_filepath": str(tones_recording), "duration": 600}
    code, found, err = evaluate("ctc", write(tmp_path / "m.jsonl", short))
    assert (code, found["wer"]) == (0, 0)
    assert f"m.jsonl: line 1: {tones_recording}: has " in err
    assert "not the 600 s of its duration" in err
