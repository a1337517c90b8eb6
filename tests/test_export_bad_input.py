"""Bad input is one line on standard error, exit code 1 and no half-written file."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr_qat.quantize.precision import GRAMMAR
from tests.conftest import SAMPLE_RATE, small_files

pytest_plugins = ["tests.export_fixtures"]
pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TF_CPP_MIN_LOG_LEVEL": "3"}


@pytest.fixture
def refused(tflite_export):
    """The message that a command refuses its input with."""

    def run(*words) -> str:
        code, out, err = tflite_export(*words)
        assert (code, out) == (1, "")
        return message(err)

    return run


def message(err: str) -> str:
    assert "Traceback" not in err
    (line,) = err.splitlines()
    assert line.startswith("tflite-export: error: ")
    return line.removeprefix("tflite-export: error: ")


@pytest.fixture(scope="module")
def good(exported) -> Path:
    return exported("w4a8")


@pytest.fixture(scope="module")
def audio(synthetic_corpus) -> Path:
    return sorted((synthetic_corpus / "test").glob("*.wav"))[0]


def damaged_files(content: bytes, folder: Path) -> list[Path]:
    """Cut anywhere, random, and random after the right identifier."""
    rng = np.random.default_rng(0)
    cuts = {0, 1, 4, 7, 8, 12, 100, *range(250, len(content), len(content) // 40)}
    cuts |= {len(content) - n for n in (1, 2, 4, 8, 16, 64, 400)}
    cases = {f"cut_{cut:06d}": content[:cut] for cut in sorted(cuts)}
    for index in range(20):
        noise = rng.bytes(int(rng.integers(8, 5000)))
        root = int(rng.integers(8, 200)).to_bytes(4, "little")
        cases[f"random_{index}"] = noise
        cases[f"identifier_{index}"] = noise[:4] + b"TFL3" + noise[8:]
        cases[f"root_{index}"] = root + b"TFL3" + noise[8:]
    paths = []
    for name, case in cases.items():
        paths.append(folder / f"{name}.tflite")
        paths[-1].write_bytes(case)
    return paths


EACH = """
import sys
from tflite_export import cli
command, audio, *paths = sys.argv[1:]
for path in paths:
    sys.argv = ["tflite-export", command, path, *([audio] if command == "transcribe" else [])]
    try:
        cli.main()
    except SystemExit as stopped:
        print(path, stopped.code, flush=True)
"""


@pytest.mark.parametrize("command", ["transcribe", "inspect"])
def test_damaged_files(good, audio, tmp_path, command):
    """In a process of its own, which a crash would end."""
    paths = damaged_files(good.read_bytes(), tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", EACH, command, audio, *paths],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines() == [f"{path} 1" for path in paths]
    lines = done.stderr.splitlines()
    assert len(lines) == len(paths), done.stderr[-2000:]
    for path, line in zip(paths, lines, strict=True):
        assert line.startswith(f"tflite-export: error: {path}: "), line


@pytest.mark.parametrize("command", ["transcribe", "inspect", "evaluate"])
def test_no_file(refused, audio, manifest, tmp_path, command):
    words = {"transcribe": [audio], "inspect": [], "evaluate": ["--data", manifest]}[command]
    missing, empty = tmp_path / "missing.tflite", tmp_path / "empty.tflite"
    empty.touch()
    assert "no such file" in refused(command, missing, *words)
    assert "not a .tflite file" in refused(command, empty, *words)
    assert "a folder" in refused(command, tmp_path, *words)
    assert not list(tmp_path.glob("*.jsonl"))


def test_a_file_of_another_origin(refused, good, audio, tmp_path):
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model(str(good))
    model.metadata = []
    path = tmp_path / "other.tflite"
    flatbuffer_utils.write_model(model, str(path))
    said = refused("transcribe", path, audio)
    assert said.startswith(f"{path}: no recogniser metadata inside")
    assert "tflite-export convert" in said


@pytest.mark.parametrize("threads", [0, -2, 100_000, "two"])
def test_a_number_of_threads(refused, good, audio, threads):
    said = refused("transcribe", good, audio, f"--threads={threads}")
    assert said.startswith(f"--threads {threads}: expected 1 to ")


def bad_recordings(folder: Path, audio: Path) -> dict[str, str]:
    """Path by what the message must say."""
    (folder / "empty.wav").touch()
    (folder / "noise.wav").write_bytes(np.random.default_rng(0).bytes(3000))
    (folder / "cut.wav").write_bytes(audio.read_bytes()[:5000])
    soundfile.write(folder / "none.wav", np.zeros(0, np.float32), SAMPLE_RATE)
    return {
        "empty.wav": "empty file",
        "noise.wav": "not readable audio",
        "cut.wav": "cut short",
        "none.wav": "no samples",
        "missing.wav": "no such audio file",
    }


def test_bad_recordings(refused, good, audio, tmp_path):
    for name, expected in bad_recordings(tmp_path, audio).items():
        said = refused("transcribe", good, tmp_path / name)
        assert said.startswith(f"{tmp_path / name}: ") and expected in said
        manifest = tmp_path / "test.jsonl"
        manifest.write_text(json.dumps({"audio_filepath": name, "text": "ONE"}) + "\n")
        written = tmp_path / "hypotheses.jsonl"
        words = ("--data", manifest, "--quiet", "--hypotheses", written)
        assert refused("evaluate", good, *words) == f"{manifest}: line 1: {said}"
        assert not written.exists()


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "7",
        "null",
        '{"text": "ONE"}',
        '{"audio_filepath": "a.wav"}',
        '{"audio_filepath": 3, "text": "ONE"}',
        '{"audio_filepath": "a.wav", "text": null}',
    ],
)
def test_a_damaged_manifest(refused, good, audio, tmp_path, line):
    manifest = tmp_path / "test.jsonl"
    first = json.dumps({"audio_filepath": str(audio), "text": "ONE"})
    manifest.write_text(f"{first}\n{line}\n{first}\n")
    said = refused("evaluate", good, "--data", manifest, "--quiet")
    assert said.startswith(f"{manifest}: line 2")


def test_no_manifest(refused, good, tmp_path):
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe\x00")
    assert "no utterances" in refused("evaluate", good, "--data", tmp_path / "empty.jsonl")
    said = refused("evaluate", good, "--data", tmp_path / "binary.jsonl")
    assert "binary.jsonl: line 1 is not UTF-8" in said
    assert "no such manifest" in refused("evaluate", good, "--data", tmp_path)
    assert "no such manifest" in refused("evaluate", good, "--data", tmp_path / "none.jsonl")


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer.model", "stats.json", "model.weights.h5"]
)
def test_an_incomplete_model_directory(refused, model_directory, tmp_path, name):
    folder = tmp_path / "model"
    shutil.copytree(model_directory, folder)
    output = tmp_path / "out.tflite"
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    assert str(folder) in refused("convert", folder, "-o", output)
    (folder / name).unlink()
    assert f"{folder}: no {name}" in refused("convert", folder, "-o", output)
    assert not output.exists()


def test_no_model_directory(refused, good, tmp_path):
    output = tmp_path / "out.tflite"
    assert "no such model directory" in refused("convert", tmp_path / "none", "-o", output)
    assert "no such model directory" in refused("convert", good, "-o", output)
    assert not output.exists()


@pytest.mark.parametrize("precision", ["w5a8", "w4a16", "int4", "FLOAT", ""])
def test_an_unknown_precision(refused, model_directory, tmp_path, precision):
    output = tmp_path / "out.tflite"
    said = refused("convert", model_directory, "--precision", precision, "-o", output)
    known = f"float, w4a8, {GRAMMAR}, mixed_4_8, two_bit, two_bit_all, ternary"
    assert said == f"precision '{precision}': expected one of {known}"
    assert not output.exists()


@pytest.mark.parametrize("seconds", ["0", "-1", "0.05", "nan", "inf"])
def test_a_signature_of_no_use(refused, model_directory, tmp_path, seconds):
    words = ("--seconds", 2, seconds, "-o", tmp_path / "out.tflite")
    assert "expected 0.1 to 3600.0 s" in refused("convert", model_directory, *words)


def full_disk(limit: int, *words) -> subprocess.CompletedProcess:
    """Run a command that can write files of `limit` bytes at most."""

    def restrict():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.run(
        [sys.executable, "-m", "tflite_export.cli", *map(str, words)],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        preexec_fn=restrict,
    )


def own_lines(err: str) -> str:
    """Standard error without what TensorFlow says of itself when it is loaded."""
    assert "Traceback" not in err, err
    return "\n".join(line for line in err.splitlines() if line.startswith("tflite-export"))


def test_converting_on_a_full_disk(refused, model_directory, tmp_path):
    """The temporary files of the conversion are the first that meet it."""
    output = tmp_path / "out/model.tflite"
    words = ("convert", model_directory, "--precision", "w4a8", "-o", output, "--seconds", 1)
    with small_files(4096):
        said = refused(*words)
    assert "cannot write the intermediate model (File too large)" in said
    assert not output.parent.exists() or not list(output.parent.iterdir())


def test_an_output_that_cannot_be_written_keeps_the_old_one(
    tflite_export, monkeypatch, model_directory, good, tmp_path
):
    """The disk fills up after the conversion."""
    from tflite_export.convert import convert

    output = tmp_path / "model.tflite"
    output.write_bytes(b"the earlier one")
    monkeypatch.setattr(convert, "_converted", lambda *_: good.read_bytes())
    with small_files(4096):
        code, _, err = tflite_export("convert", model_directory, "-o", output)
    assert code == 1
    assert f"{output}: File too large" in message(err)
    assert output.read_bytes() == b"the earlier one"
    assert list(tmp_path.iterdir()) == [output]


def test_scoring_on_a_full_disk(good, manifest, tmp_path):
    written = tmp_path / "hypotheses.jsonl"
    done = full_disk(16, "evaluate", good, "--data", manifest, "--quiet", "--hypotheses", written)
    assert done.returncode == 1
    assert "\nWER " in done.stdout  # the figures are not lost
    assert f"{written}: File too large" in message(own_lines(done.stderr))
    assert not list(tmp_path.iterdir())
