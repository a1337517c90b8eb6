"""`tflite-export listen`: files, devices, what a terminal and a program see."""

import io
import json
import os
import pty
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
import soundfile

from asr_qat.audio.decode import read_audio
from experiments.live.undisturbed_session import events_alone
from tests.live_reference import speech
from tests.test_export_recogniser import without_tensorflow
from tflite_export.runtime.live.events import Notice, Transcript
from tflite_export.runtime.live.screen import CLEAR, DIM, NORMAL, Screen
from tflite_export.runtime.live.sources import recorded_chunks
from tflite_export.runtime.live.words import Word

pytest_plugins = ["tests.live_file", "tests.export_fixtures"]


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("audio") / "speech.wav"
    soundfile.write(path, speech(3.0, 1), 16000)
    return path


def transcript(kind, text, stable=0):
    words = tuple(Word(word, 0.0, 0.1) for word in text.split())
    return Transcript(kind, 0, words, stable, 1.0)


def finals(model, path, chunk=1920):
    events = events_alone(model, read_audio(path), chunk)
    return [e.text for e in events if isinstance(e, Transcript) and e.kind == "final" and e.words]


@pytest.mark.slow
def test_a_file_without_a_terminal(tflite_export, live_file, live_model, recording):
    code, out, err = tflite_export("listen", live_file, "--file", recording, "--fast")
    assert (code, err) == (0, "")
    assert out.splitlines() == finals(live_model, recording)
    assert len(out.splitlines()) >= 1


@pytest.mark.slow
def test_without_tensorflow(live_file, live_model, recording):
    program = "from tflite_export.cli import main; main()"
    out = without_tensorflow(program, "listen", live_file, "--file", recording, "--fast")
    assert out.splitlines() == finals(live_model, recording)
    without_tensorflow(
        "import tflite_export.runtime.live.server, tflite_export.runtime.live.microphone"
    )


@pytest.mark.slow
def test_json_lines(tflite_export, live_file, live_model, recording):
    words = ("--file", recording, "--fast", "--jsonl", "--chunk-ms", 60)
    code, out, _ = tflite_export("listen", live_file, *words)
    events = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert {"partial", "corrected", "final"} <= {event["type"] for event in events}
    found = [event["text"] for event in events if event["type"] == "final"]
    assert found == finals(live_model, recording)


def start(live_file, *words, **options):
    program = "from tflite_export.cli import main; main()"
    command = [sys.executable, "-c", program, "listen", str(live_file), *map(str, words)]
    return subprocess.Popen(command, text=True, **options)


@pytest.mark.slow
def test_ctrl_c_ends_with_the_last_words(live_file, recording):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    long = recording.with_name("long.wav")
    soundfile.write(long, np.tile(speech(3.0, 1), 20), 16000)
    process = start(live_file, "--file", long, "--jsonl", "--longest-s", 1000, **pipes)
    seen = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert json.loads(seen)["type"] == "partial"
    types = [json.loads(line)["type"] for line in rest.splitlines()]
    assert [kind for kind in types if kind != "notice"][-1] == "final"


@pytest.mark.slow
def test_a_terminal_shows_words_in_place(live_file, live_model, recording):
    ours, theirs = pty.openpty()
    process = start(live_file, "--file", recording, "--fast", stdout=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            shown += os.read(ours, 4096)
        except OSError:  # the other side has closed
            break
    assert process.wait(timeout=30) == 0
    text = shown.decode()
    assert text.count(CLEAR) > 5 and DIM in text
    lines = [line.rsplit(CLEAR, 1)[-1] for line in text.split("\r\n")]
    assert lines[:-1] == finals(live_model, recording) and lines[-1] == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "name the .tflite file"),
        (("none.tflite",), "none.tflite: no such file"),
        (("MODEL", "--file", "none.wav"), "none.wav: no such audio file"),
        (("MODEL", "--fast"), "need --file"),
        (("MODEL", "--file", "a.wav", "--device", "1"), "--device"),
        (("MODEL", "--file", "a.wav", "--chunk-ms", "5"), "from 10 to 2000"),
        (("MODEL", "--file", "a.wav", "--pause-s", "nan"), "--pause-s nan"),
    ],
)
def test_mistakes(tflite_export, live_file, words, message):
    words = [live_file if word == "MODEL" else word for word in words]
    code, out, err = tflite_export("listen", *words)
    assert (code, out) == (1, "")
    assert message in err and err.count("\n") == 1


def test_in_place():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    out, err = Terminal(), io.StringIO()
    screen = Screen(out=out, err=err)
    screen.show(transcript("partial", "ONE TWO"))
    screen.show(transcript("corrected", "ONE TWO", 1))
    screen.show(Notice("silence", 1.0, 5.0, "quiet"))
    screen.show(transcript("corrected", "LONG " * 100, 99))
    screen.show(transcript("final", "ONE", 1))
    screen.show(transcript("final", "", 0))
    first, second, _, long, last, _ = out.getvalue().split(CLEAR)[1:]
    assert first == f"{DIM}ONE TWO{NORMAL}" and second == f"ONE{DIM} TWO{NORMAL}"
    assert long.startswith("…") and long.endswith(f"LONG{DIM} LONG{NORMAL}")
    assert len(long) - len(DIM + NORMAL) < 80
    assert (last, err.getvalue()) == ("ONE\n", "(quiet)\n")


class Clock:
    """A clock whose time passes while somebody waits to be told to stop, and when it is set."""

    def __init__(self):
        self.now, self.stopped = 7.0, False

    def wait(self, seconds):
        self.now += seconds
        return self.stopped


def test_real_time(recording):
    clock = Clock()
    chunks = recorded_chunks(recording, 16000, 100, clock, real_time=True, clock=lambda: clock.now)
    first = next(chunks)
    assert len(first.samples) == 1600
    assert clock.now == first.arrived == pytest.approx(7.1)
    clock.now += 0.25  # until then the next two are there
    for expected in (7.35, 7.35, 7.4):
        chunk = next(chunks)
        assert clock.now == pytest.approx(expected)
    assert chunk.arrived == pytest.approx(7.4)
    clock.stopped = True
    assert list(chunks) == []
    whole = recorded_chunks(recording, 16000, 130, threading.Event(), real_time=False)
    np.testing.assert_array_equal(
        np.concatenate([chunk.samples for chunk in whole]), read_audio(recording)
    )
