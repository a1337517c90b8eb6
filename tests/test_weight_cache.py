"""The cache of packed weights: what it computes, whose weights it holds, and where it is."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from asr_qat.models.model_directory import Recogniser
from tests.export_fixtures import SECONDS, noise
from tflite_export.commands import transcribe as transcribe_command
from tflite_export.runtime import processor, weight_cache
from tflite_export.runtime.live.live_model import load_model
from tflite_export.runtime.live.whole_recording import transcribe
from tflite_export.runtime.model_file import ModelFile
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.runtime.weight_cache import cache_folder, model_copy
from tflite_export.runtime.widen import as_computed

pytest_plugins = ["tests.export_fixtures"]

LIVE = Path(__file__).parent / "data/tones_live.tflite"
IN_A_PROCESS = """
import sys, numpy as np
from tflite_export.runtime.recogniser import TFLiteRecogniser
encoded = TFLiteRecogniser(sys.argv[1], weight_cache=True).encode(np.load(sys.argv[2]))
print(encoded.tobytes().hex()[:4096])
"""


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("ASR_QAT_CACHE", str(tmp_path / "cache"))
    return cache_folder()


def computed(path: Path) -> ModelFile:
    return as_computed(ModelFile.read(path))


def cache_file(path: Path) -> Path:
    return weight_cache.cache_file(computed(path))


def made(path: Path) -> set[Path]:
    return {cache_file(path), model_copy(computed(path))}


@pytest.fixture(scope="session")
def other_model(float_recogniser) -> bytes:
    """A file of the same shapes with other weights."""
    from tflite_export.convert.convert import convert_recogniser

    own = float_recogniser
    recogniser = Recogniser.create(own.config, own.tokenizer, own.mean, own.std)
    return convert_recogniser(recogniser, "w4a8", SECONDS)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float", "w4a8", "w2a8", "w4"])
def test_the_numbers_are_those_without(exported, folder, precision):
    """To the bit, of both signatures, when the cache is made and when it is read."""
    path = exported(precision)
    alone = TFLiteRecogniser(path)
    for _ in range(2):
        cached = TFLiteRecogniser(path, weight_cache=True)
        assert set(folder.iterdir()) == made(path)
        for frames in (90, 190, 37):
            np.testing.assert_array_equal(cached.encode(noise(frames)), alone.encode(noise(frames)))


@pytest.mark.slow
def test_what_was_not_used_for_long_is_deleted_when_one_is_made(exported, folder):
    folder.mkdir(parents=True)
    names = ["unused.xnnpack", "unused.tflite", "used.xnnpack", "other.txt"]
    old = time.time() - (weight_cache.UNUSED_DAYS + 1) * 24 * 3600
    for name in names:
        (folder / name).write_bytes(b"x")
        os.utime(folder / name, (old, old))
    os.utime(folder / "used.xnnpack")
    own, copy = cache_file(exported("float")), model_copy(ModelFile.read(exported("float")))
    TFLiteRecogniser(exported("float"), weight_cache=True)
    assert {path.name for path in folder.iterdir()} == {own.name, copy.name, *names[2:]}
    for file in (own, copy):
        os.utime(file, (old, old))
    TFLiteRecogniser(exported("float"), weight_cache=True)  # is read, and counts as used
    assert own.stat().st_atime > old and copy.stat().st_atime > old


@pytest.mark.slow
def test_the_cache_is_made_once(exported, folder):
    path = exported("w4a8")
    TFLiteRecogniser(path, weight_cache=True)
    before = cache_file(path).stat()
    TFLiteRecogniser(path, weight_cache=True).encode(noise(90))
    after = cache_file(path).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert before.st_size > 0.2 * path.stat().st_size  # half of it are names and vectors


@pytest.mark.slow
def test_a_changed_model_has_a_cache_of_its_own(exported, other_model, folder, tmp_path):
    """Of the same name and shapes: LiteRT alone would compute with the earlier weights."""
    path = tmp_path / "model.tflite"
    path.write_bytes(exported("w4a8").read_bytes())
    first = TFLiteRecogniser(path, weight_cache=True).encode(noise(90))
    path.write_bytes(other_model)
    second = TFLiteRecogniser(path, weight_cache=True).encode(noise(90))
    np.testing.assert_array_equal(second, TFLiteRecogniser(path).encode(noise(90)))
    assert np.abs(second - first).max() > 0.1
    assert len(list(folder.glob("*.xnnpack"))) == 2


@pytest.mark.slow
def test_a_file_that_is_overwritten_goes_on_as_it_was_loaded(exported, other_model, tmp_path):
    """LiteRT maps a copy in the cache."""
    path = tmp_path / "model.tflite"
    path.write_bytes(exported("w4a8").read_bytes())
    cached = TFLiteRecogniser(path, weight_cache=True)
    path.write_bytes(other_model)  # in place
    expected = TFLiteRecogniser(exported("w4a8")).encode(noise(90))
    np.testing.assert_array_equal(cached.encode(noise(90)), expected)


@pytest.mark.slow
def test_another_litert_or_processor_has_a_cache_of_its_own(exported, monkeypatch):
    path = exported("w4a8")
    names = {cache_file(path)}
    monkeypatch.setattr(weight_cache, "version", lambda _: "9.9.9")
    names.add(cache_file(path))
    monkeypatch.setattr(processor, "CPUINFO", Path("/no/such/file"))
    names.add(cache_file(path))
    assert len(names) == 3


@pytest.mark.slow
def test_processes_that_start_at_once(exported, folder, tmp_path):
    path, features = exported("w4a8"), tmp_path / "features.npy"
    np.save(features, noise(90))
    command = [sys.executable, "-c", IN_A_PROCESS, str(path), str(features)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = {process.communicate(timeout=120)[0].strip() for process in started}
    assert said == {TFLiteRecogniser(path).encode(noise(90)).tobytes().hex()[:4096]}
    assert set(folder.iterdir()) == made(path)


@pytest.mark.slow
def test_a_folder_that_cannot_be_written(exported, monkeypatch, tmp_path, caplog):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ASR_QAT_CACHE", str(tmp_path / "file"))
    path = exported("w4a8")
    cached = TFLiteRecogniser(path, weight_cache=True)
    assert "no weight cache" in caplog.text
    np.testing.assert_array_equal(
        cached.encode(noise(90)), TFLiteRecogniser(path).encode(noise(90))
    )


@pytest.mark.slow
def test_the_command(exported, tflite_export, synthetic_corpus, folder):
    audio = sorted((synthetic_corpus / "test").glob("*.wav"))[0]
    words = ("transcribe", exported("w4a8"), audio)
    _, alone, _ = tflite_export(*words)
    assert not folder.exists()
    code, cached, error = tflite_export(*words, "--weight-cache")
    assert (code, cached) == (0, alone), error
    assert len(list(folder.iterdir())) == 2
    transcribe_command._loaded.cache_clear()  # here: LiteRT prints when a compiled model goes


def test_a_live_model():
    audio = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    alone, cached = load_model(LIVE), load_model(LIVE, weight_cache=True)
    assert cache_file(LIVE).exists()
    assert transcribe(cached, audio) == transcribe(alone, audio)


@pytest.mark.parametrize(
    ("platform", "variable", "expected"),
    [
        ("linux", "XDG_CACHE_HOME", "given/asr-qat/weights"),
        ("linux", None, ".cache/asr-qat/weights"),
        ("darwin", None, "Library/Caches/asr-qat/weights"),
        ("win32", "LOCALAPPDATA", "given/asr-qat/weights"),
        ("win32", None, "AppData/Local/asr-qat/weights"),
    ],
)
def test_the_folder_is_the_platforms(monkeypatch, tmp_path, platform, variable, expected):
    for name in ("ASR_QAT_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    if variable:
        monkeypatch.setenv(variable, str(tmp_path / "given"))
    assert cache_folder() == tmp_path / expected
