"""`tflite-export transcribe` of many recordings: folders, standard input, bad ones, processes."""

import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from tests.conftest import SAMPLE_RATE
from tests.tones_fixtures import TEXT, tones_file

pytest_plugins = ["tests.tones_fixtures"]
pytestmark = pytest.mark.runtime


def transcribe(*words, stdin=None) -> tuple[int, str, str]:
    program = [sys.executable, "-m", "tflite_export.cli", "transcribe", tones_file("ctc")]
    done = subprocess.run([*map(str, [*program, *words])], capture_output=True, input=stdin)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.fixture
def folder(tmp_path, tones):
    """Three good recordings and three bad ones, one of them in a folder of its own."""
    (tmp_path / "in").mkdir()
    for name in ("a.wav", "c.flac", "in/e.wav"):
        soundfile.write(tmp_path / name, tones, 16000)
    content = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "b.wav").write_bytes(content[: len(content) // 2])
    (tmp_path / "d.wav").touch()
    (tmp_path / "in/f.ogg").write_bytes(b"OggS nonsense")
    (tmp_path / "notes.txt").write_text("no recording")
    return tmp_path


@pytest.mark.parametrize("jobs", [1, 2])
def test_bad_recordings_are_named_and_passed_over(folder, jobs):
    code, out, err = transcribe(folder, "--jobs", jobs)
    good = ("a.wav", "c.flac", "in/e.wav")
    assert out == "".join(f"{folder / name}\t{TEXT}\n" for name in good)
    *lines, last = err.splitlines()
    assert len(lines) == 3
    for name, line in zip(("b.wav", "d.wav", "in/f.ogg"), lines, strict=True):
        assert line.startswith(f"{folder / name}: ")
    assert last == "tflite-export: error: 3 of 6 recordings cannot be read, see above"
    assert code == 1


def test_output_of_the_good_ones(folder):
    code, out, _ = transcribe(folder, "--output", folder / "texts")
    assert (code, out) == (1, "")
    written = {path.name: path.read_text() for path in (folder / "texts").iterdir()}
    assert written == {f"{name}.txt": f"{TEXT}\n" for name in "ace"}


def test_standard_input(folder):
    code, out, err = transcribe("-", stdin=(folder / "c.flac").read_bytes())
    assert (code, out, err) == (0, f"{TEXT}\n", "")
    code, out, err = transcribe("-", stdin=(folder / "b.wav").read_bytes())
    assert (code, out) == (1, "")
    assert err.startswith("tflite-export: error: standard input: cut short after ")
    code, out, err = transcribe("-", stdin=b"")
    assert (code, err) == (1, "tflite-export: error: standard input: empty: nothing came\n")
    assert transcribe("-", "-", stdin=b"")[0] == 1


def test_a_folder_without_recordings(tmp_path):
    code, out, err = transcribe(tmp_path)
    assert (code, out) == (1, "")
    assert f"error: {tmp_path}: no recording in this folder (" in err


def test_resampling_is_said_once(folder, tones):
    paths = [folder / f"stereo{i}.wav" for i in range(2)]
    for path in paths:
        soundfile.write(path, tones, 22050)
    code, _, err = transcribe(*paths)
    assert code == 0
    assert err == f"{paths[0]}: 22050 Hz mono, taken as 16000 Hz mono (others are not named)\n"


@pytest.fixture
def manifest(folder, tones):
    """The words twice in one recording, a segment for each; a bad one between, a whole one last."""
    silence = np.zeros(2 * SAMPLE_RATE, np.float32)
    soundfile.write(folder / "talk.wav", np.concatenate([tones, silence, tones]), SAMPLE_RATE)
    length = len(tones) / SAMPLE_RATE
    entries = (
        {"audio_filepath": "talk.wav", "offset": 0.0, "duration": length, "text": "IGNORED"},
        {"audio_filepath": "b.wav", "id": "cut"},
        {"audio_filepath": "talk.wav", "offset": length + 2, "id": "call/2"},
        {"audio_filepath": "in/e.wav"},
    )
    path = folder / "set.jsonl"
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return path


@pytest.mark.parametrize("jobs", [1, 2])
def test_entries_of_a_manifest(manifest, jobs):
    code, out, err = transcribe(manifest, "--jobs", jobs)
    names = ("talk-0.000", "call/2", "in/e")
    assert out == "".join(f"{name}\t{TEXT}\n" for name in names)
    named, last = err.splitlines()
    assert named.startswith(f"{manifest}: line 2: {manifest.parent / 'b.wav'}: ")
    assert last == "tflite-export: error: 1 of 4 recordings cannot be read, see above"
    assert code == 1


def test_entries_of_a_manifest_in_files_and_as_json(manifest):
    code, out, _ = transcribe(manifest, manifest.parent / "a.wav", "--format", "json")
    found = [json.loads(line) for line in out.splitlines()]
    assert [line.get("id") for line in found] == ["talk-0.000", "call/2", "in/e", None]
    assert {line["text"] for line in found} == {TEXT}
    assert found[0]["file"] == str(manifest.parent / "talk.wav")
    folder = manifest.parent / "texts"
    assert transcribe(manifest, "--output", folder)[:2] == (1, "")
    assert {path.name for path in folder.iterdir()} == {"talk-0.000.txt", "call_2.txt", "in_e.txt"}


def test_manifests_that_are_none(tmp_path):
    (tmp_path / "bad.json").write_text('{"audio_filepath": 3}\n{\n')
    code, out, err = transcribe(tmp_path / "bad.json")
    assert (code, out) == (1, "") and "line 1" in err and "line 2" in err
    (tmp_path / "empty.jsonl").touch()
    assert "no recording in this manifest" in transcribe(tmp_path / "empty.jsonl")[2]
    assert "none.jsonl: no such manifest" in transcribe(tmp_path / "none.jsonl")[2]
