"""The runtime as it is installed on a device: files, recordings and text, and no TensorFlow."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

import tflite_export
from asr_qat.decoding.arpa import write_arpa
from asr_qat.decoding.kneser_ney import estimate
from asr_qat.errors import UserError
from tests.conftest import SAMPLE_RATE, WORD_HZ, WORD_SECONDS, utterance
from tests.tones_fixtures import KINDS, TEXT, tones_file
from tflite_export.runtime.live.events import Transcript

pytest_plugins = ["tests.tones_fixtures"]
pytestmark = pytest.mark.runtime


@pytest.fixture(scope="module", params=KINDS)
def model(request):
    return tflite_export.load(tones_file(request.param))


def command(*words) -> subprocess.CompletedProcess:
    program = "from tflite_export.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, words)], capture_output=True, text=True
    )


def test_samples_and_a_file_give_the_same_text(model, tones, tones_recording):
    assert model.sample_rate == SAMPLE_RATE
    assert model.transcribe(tones) == TEXT
    assert model.transcribe(tones.astype(np.float64), SAMPLE_RATE) == TEXT
    assert model.transcribe(tones_recording) == model.transcribe(str(tones_recording)) == TEXT


def test_a_recording_longer_than_the_signature(model):
    words = [*WORD_HZ] * 2
    assert model.transcribe(utterance(words, 1)) == " ".join(words)


@pytest.mark.parametrize("samples", [0, 1, 399, 400])
def test_next_to_nothing(model, samples):
    assert isinstance(model.transcribe(np.zeros(samples, np.float32)), str)


def test_any_audio_is_heard(model, tones, tmp_path):
    assert model.transcribe(np.round(tones * 32767).astype(np.int16)) == TEXT
    assert model.transcribe((tones * 2**31).astype(np.int32)) == TEXT
    assert model.transcribe(np.stack([tones, tones])) == TEXT
    assert model.transcribe(np.stack([tones, tones], axis=1)) == TEXT
    assert model.transcribe(soxr.resample(tones, 16000, 44100), 44100) == TEXT
    path = tmp_path / "stereo.wav"
    soundfile.write(path, soxr.resample(np.stack([tones, tones], axis=1), 16000, 44100), 44100)
    assert model.transcribe(path) == TEXT
    if not model.recogniser.live:
        assert model.recogniser.transcribe(path) == TEXT
    loud = 8 * tones
    assert model.transcribe(loud) == model.transcribe(loud / np.abs(loud).max())
    assert np.abs(loud).max() > 1  # still


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        (np.zeros((3, 100, 2), np.float32), r"shape \[3, 100, 2\]: expected \[samples\]"),
        (np.zeros((100, 100), np.float32), r"shape \[100, 100\]: expected \[samples\]"),
        (np.zeros(100, bool), "type bool: expected floats or integers"),
        (np.full(1000, np.nan, np.float32), "audio: holds samples that are not numbers"),
        (np.full(1000, 1e300), "audio: holds samples that are not numbers"),
        (np.zeros(1000, complex), "type complex128: expected floats or integers"),
        (np.zeros(1000, np.int64), "type int64: expected integers of up to 32 bits"),
        (np.zeros(1000, object), "type object: expected floats or integers"),
        (np.zeros(()), r"shape \[\]: expected \[samples\]"),
        (np.zeros((0, 2), np.float32), r"shape \[0, 2\]: expected \[samples\]"),
        ([0.0] * 1000, "audio of type list: expected a file or an array"),
    ],
)
def test_what_is_no_audio(model, audio, message):
    for function in (model.transcribe, model.recogniser.transcribe):
        with pytest.raises(UserError, match=message):
            function(audio)


def test_a_rate_of_nothing(model):
    for rate in (0, -1, float("nan"), 10**9):
        with pytest.raises(
            UserError, match="audio: .* samples per second: expected 2000 to 768000"
        ):
            model.transcribe(np.zeros(1000, np.float32), rate)


def test_no_such_recording(model, tmp_path):
    with pytest.raises(UserError, match="none.wav: no such audio file"):
        model.transcribe(tmp_path / "none.wav")


def test_a_beam(tones):
    for kind in ("ctc", "transducer"):
        model = tflite_export.load(tones_file(kind))
        assert model.transcribe(tones, beam=4) == TEXT
        found = model.transcribe(tones, beam=4, timestamps=True)
        greedy = model.transcribe(tones, timestamps=True)
        assert found.text == TEXT
        for one, other in zip(found.words, greedy.words, strict=True):
            assert abs(one.start_s - other.start_s) <= 0.08
            assert one.confidence == pytest.approx(other.confidence, abs=0.05)
    with pytest.raises(UserError, match="omit the beam"):
        tflite_export.load(tones_file("live")).transcribe(tones, beam=4)


@pytest.mark.parametrize("kind", ["ctc", "transducer"])
def test_a_language_model_and_hotwords(kind, tones, tones_recording, tmp_path):
    """Those of a language where these words are rare: the sound decides."""
    model = tflite_export.load(tones_file(kind))
    write_arpa(tmp_path / "lm.arpa", estimate(["three three four"] * 9 + [TEXT.lower()], 2))
    search = tflite_export.BeamSearch(width=16, lm=tmp_path / "lm.arpa", lm_weight=0.2)
    assert model.transcribe(tones, search=search) == TEXT  # small letters are known all the same
    with pytest.raises(UserError, match="hotword '5': the model has no 5"):
        model.transcribe(tones, search=tflite_export.BeamSearch(hotwords=("5",)))
    words = ("--lm", tmp_path / "lm.arpa", "--lm-weight", "0.2", "--beam", "16")
    done = command("transcribe", tones_file(kind), tones_recording, *words, "--hotwords", "two")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{TEXT}\n", "")
    done = command("transcribe", tones_file(kind), tones_recording, "--lm-weight", "1")
    assert done.returncode == 1 and "--lm-weight: of --lm: add that too" in done.stderr


def test_hotwords_in_a_list_or_a_string(tones):
    search = tflite_export.BeamSearch(hotwords=["TWO"])
    assert tflite_export.load(tones_file("ctc")).transcribe(tones, search=search) == TEXT
    with pytest.raises(UserError, match=r"hotwords: a tuple of words .* such as \('TWO',\)"):
        tflite_export.BeamSearch(hotwords="TWO")


@pytest.mark.parametrize(
    "words, said",
    [
        (["--nbest", "--hotwords", ", "], "--hotwords ', ': no words"),
        (["--format", "srt", "--late-ms", "nan"], "--late-ms nan: is no time"),
        (["--output", "ftp://host/texts"], "ftp://host/texts: files are read from "),
    ],
)
def test_options_of_transcribe_that_are_none(words, said, tones_recording, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))
    monkeypatch.chdir(tmp_path)
    done = command("transcribe", tones_file("ctc"), tones_recording, *words)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert said in done.stderr
    assert not list(tmp_path.iterdir())


def test_files_that_are_none(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        tflite_export.load(tmp_path / "none.tflite")
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(tones_file("ctc").read_bytes()[:5000])
    with pytest.raises(UserError, match="cut.tflite: "):
        tflite_export.load(cut)


def test_a_stream(tones):
    session = tflite_export.Session(tflite_export.load_live_model(tones_file("live")))
    events = [
        event for at in range(0, len(tones), 999) for event in session.accept(tones[at:][:999])
    ]
    events += session.finish()
    final = [e for e in events if isinstance(e, Transcript) and e.kind == "final"]
    assert [event.text for event in final] == [TEXT]


def test_what_a_file_says_of_itself():
    for kind in KINDS:
        metadata = tflite_export.read_metadata(tones_file(kind))
        assert (metadata.precision, metadata.method) == ("w4a8", "ptq")
        assert tflite_export.inspect_file(tones_file(kind)).weight_widths["dense"]["4"] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_commands(kind, tones_recording):
    """The text alone: LiteRT's line on its delegate is kept from standard error."""
    done = command("transcribe", tones_file(kind), tones_recording)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{TEXT}\n", "")
    done = command("inspect", tones_file(kind))
    assert (done.returncode, done.stderr) == (0, "")


def test_listen_to_a_file(tones_recording):
    done = command("listen", tones_file("live"), "--file", tones_recording, "--fast")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{TEXT}\n", "")


def test_evaluate(tones_recording, tmp_path):
    manifest = tmp_path / "test.jsonl"
    manifest.write_text(f'{{"audio_filepath": "{tones_recording}", "text": "{TEXT}"}}\n')
    words = ("--data", manifest, "--quiet", "--hypotheses", tmp_path / "said.jsonl")
    done = command("evaluate", tones_file("ctc"), *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert "WER 0.00%" in done.stdout
    done = command("evaluate", tones_file("ctc"), *words, "--hotwords", "two,one")
    assert (done.returncode, done.stderr) == (0, "") and "WER 0.00%" in done.stdout


def test_the_output_of_the_process_is_left_alone(tones):
    """What other threads write while a file is loaded and used arrives."""
    read, write = os.pipe()
    before = os.dup(1)
    os.dup2(write, 1)
    stop = threading.Event()
    written = 0

    def other_thread():
        nonlocal written
        while not stop.wait(0.001):
            written += os.write(1, b".")

    thread = threading.Thread(target=other_thread)
    thread.start()
    try:
        for kind in KINDS:
            tflite_export.load(tones_file(kind)).transcribe(tones)
    finally:
        stop.set()
        thread.join()
        os.dup2(before, 1)
        os.close(before)
        os.close(write)
    with os.fdopen(read, "rb") as pipe:
        assert pipe.read() == b"." * written


@pytest.mark.parametrize("kind", KINDS)
def test_times_of_words(kind, tones):
    """Each word is a tone of known time; the files are too small to be sharper than this."""
    model = tflite_export.load(tones_file(kind))
    found = model.transcribe(tones, timestamps=True)
    assert found.text == " ".join(word.text for word in found.words) == TEXT
    assert found.duration_s == pytest.approx(len(tones) / SAMPLE_RATE)
    for index, word in enumerate(found.words):
        begin, end = index * WORD_SECONDS, (index + 1) * WORD_SECONDS
        assert begin - 0.15 < word.start_s < word.end_s < end + 0.25
        assert (word.confidence is None) == (kind == "live")
        assert kind == "live" or 0.5 < word.confidence <= 1
    (later,) = model.transcribe(tones, timestamps=True, late_s=0.04).words[-1:]
    assert later.start_s == pytest.approx(found.words[-1].start_s - 0.04, abs=0.002)
    assert model.transcribe(np.zeros(0, np.float32), timestamps=True).words == ()


def test_formats_of_the_command(tones_recording, tmp_path):
    done = command("transcribe", tones_file("ctc"), tones_recording, "--format", "srt")
    assert done.returncode == 0 and done.stdout.endswith(f"\n{TEXT}\n\n")
    other = tmp_path / "other.wav"
    other.write_bytes(tones_recording.read_bytes())
    words = (tones_file("ctc"), tones_recording, other, "--format", "vtt")
    done = command("transcribe", *words)
    assert "--format vtt: subtitles of several recordings: add --output DIR" in done.stderr
    done = command("transcribe", *words, "--output", tmp_path / "out")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"tones.vtt", "other.vtt"}
    done = command("transcribe", tones_file("ctc"), other, other, "--output", tmp_path)
    assert done.returncode == 1 and "other.wav: has the name of" in done.stderr
