"""What the commands print, whatever encoding standard output has."""

import io
import json
import os
import subprocess
import sys

import pytest

import asr_qat
from asr_qat.output import accept_any_text
from tests.test_interface import HEAVY, HELP, loaded_by
from tests.tones_fixtures import tones_file
from tflite_export.runtime.live.events import Transcript
from tflite_export.runtime.live.screen import Screen
from tflite_export.runtime.live.words import Word

pytest_plugins = ["tests.tones_fixtures"]
pytestmark = pytest.mark.runtime

TEXT = "प्राचीन € é 🎉"
ESCAPED = json.dumps(TEXT)[1:-1]
LATIN_1 = ESCAPED.replace(r"\u00e9", "é").encode("latin-1")
TRANSCRIBE = f"""
from asr_qat.text.tokenizer import Tokenizer
from tflite_export.cli import main
Tokenizer.decode = lambda tokenizer, ids: {TEXT!r}
main()
"""


@pytest.mark.parametrize(
    ("environment", "encoding", "expected"),
    [
        ({"PYTHONIOENCODING": "ascii"}, "ascii", ESCAPED.encode()),
        ({"PYTHONIOENCODING": "latin-1"}, "latin-1", LATIN_1),
        ({"PYTHONIOENCODING": "ascii:replace"}, "ascii", TEXT.encode("ascii", "replace")),
        ({"LC_ALL": "C"}, "utf-8", TEXT.encode()),
        (
            {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
            "ascii",
            ESCAPED.encode(),
        ),
    ],
)
def test_transcripts(environment, encoding, expected, tones_recording):
    names = ("PYTHONIOENCODING", "PYTHONUTF8", "LC_ALL", "LANG")
    kept = {name: value for name, value in os.environ.items() if name not in names}
    kept["PYTHONPATH"] = os.pathsep.join(sys.path)
    # From standard input: words of a command line have to be of the locale themselves.
    command = [sys.executable, "-", "transcribe", str(tones_file("ctc")), str(tones_recording)]
    done = subprocess.run(
        command, input=TRANSCRIBE.encode(), capture_output=True, env={**kept, **environment}
    )
    assert (done.returncode, done.stderr.decode()) == (0, "")
    assert done.stdout == expected + b"\n"


def test_names_that_are_not_unicode(monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), "utf-8", "strict")
    monkeypatch.setattr(sys, "stdout", out)
    accept_any_text()
    print("a\udcff.wav", flush=True)
    assert out.buffer.getvalue() == b"a\\udcff.wav\n"
    escaped = io.TextIOWrapper(io.BytesIO(), "utf-8", "surrogateescape")
    monkeypatch.setattr(sys, "stdout", escaped)
    accept_any_text()
    print("a\udcff.wav", flush=True)
    assert escaped.buffer.getvalue() == b"a\xff.wav\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_json_stays_json(encoding, monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr(sys, "stdout", out)
    accept_any_text()
    Screen(json_lines=True).show(Transcript("final", 0, (Word(TEXT, 0.0, 0.1),), 1, 1.0))
    assert json.loads(out.buffer.getvalue().decode(encoding))["text"] == TEXT


@pytest.mark.parametrize(
    ("package", "program"), [("asr_qat", "asr-qat"), ("tflite_export", "tflite-export")]
)
def test_version(package, program):
    call = HELP.format(package=package)
    assert not loaded_by(call, "--version") & HEAVY
    for words in (["-c", call], ["-m", package]):
        done = subprocess.run(
            [sys.executable, *words, "--version"], capture_output=True, text=True, check=True
        )
        assert done.stdout == f"{program} {asr_qat.__version__}\n"
