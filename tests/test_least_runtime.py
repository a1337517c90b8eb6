"""The oldest LiteRT of a file: written into it, and required where it is loaded."""

import json
import shutil
from pathlib import Path

import pytest

from asr_qat.errors import UserError
from tflite_export.runtime import least_runtime as module
from tflite_export.runtime.least_runtime import least_runtime, require_runtime
from tflite_export.runtime.metadata import DESCRIPTION, read_metadata
from tflite_export.runtime.recogniser import TFLiteRecogniser

pytestmark = pytest.mark.runtime
LIVE = Path(__file__).parent / "data/tones_live.tflite"


@pytest.mark.parametrize(
    ("precisions", "least"),
    [
        ([], "1.2.0"),
        (["w4a8", "w4", "w8", "float", "w8a8", "w8a8s"], "1.2.0"),
        (["w4a8-b32", "w4a8"], "2.1.2"),
        (["w4a8s", "w8a8s"], "1.3.0"),
        (["w3a8s"], "1.3.0"),
        (["w2", "w1", "w4a8s"], "2.1.0"),
        (["w4a8s", "w2a8"], "2.1.2"),
        (["w2a8-asym", "w2"], "2.1.2"),
        (["w1a8s", "w8"], "2.1.2"),
        (["w3a8", "w32a8"], "1.2.0"),
    ],
)
def test_by_precision(precisions, least):
    assert least_runtime(precisions) == least
    assert least_runtime(precisions[::-1]) == least


@pytest.mark.parametrize(
    ("found", "fits"),
    [("2.1.3", False), ("2.1.4", True), ("2.10.0", True), ("2.2.0.dev20260101", True)],
)
def test_an_older_runtime_is_one_line(monkeypatch, found, fits):
    monkeypatch.setattr(module, "version", lambda _: found)
    if fits:
        return require_runtime("a.tflite", "2.1.4")
    with pytest.raises(UserError, match=r"a.tflite: needs LiteRT 2.1.4 or later, this is 2.1.3"):
        require_runtime("a.tflite", "2.1.4")


def test_a_file_is_not_loaded_by_an_older_one(monkeypatch, tmp_path):
    path = shutil.copy(LIVE, tmp_path / "live.tflite")
    metadata = read_metadata(path)
    described = json.loads(metadata.buffers()[DESCRIPTION])
    assert described["min_runtime_version"] == metadata.least_runtime
    monkeypatch.setattr(module, "version", lambda _: "1.0.1")
    with pytest.raises(UserError, match=f"live.tflite: needs LiteRT {metadata.least_runtime}"):
        TFLiteRecogniser(path)
