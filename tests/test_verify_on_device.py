"""`tflite-export verify`: a file beside its own integers and its record, without TensorFlow."""

import dataclasses
import json
import shutil
import sys

import numpy as np
import pytest
import soundfile

from asr_qat.corpora.recordings import recordings
from asr_qat.errors import UserError
from tests.conftest import SAMPLE_RATE, utterance
from tests.tones_fixtures import KINDS, tones_file
from tflite_export import cli
from tflite_export.runtime.model_file import ModelFile
from tflite_export.score.device.check import check
from tflite_export.score.device.recognised import (
    DeviceRecogniser,
    WatchedRecogniser,
    flatbuffer_of,
)
from tflite_export.score.device.record import Record
from tflite_export.score.device.report import ChangedText
from tflite_export.score.device.rounding import Scaled, other_roundings, scaled_rows
from tflite_export.score.device_record import make_record, spread

pytestmark = pytest.mark.runtime

WORDS = (["TWO"], ["FIVE", "ONE"], ["TWO", "FIVE", "ONE"], ["ONE"])


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    """A manifest."""
    folder, lines = tmp_path_factory.mktemp("spoken"), []
    for number, words in enumerate(WORDS):
        path = folder / f"{number}.wav"
        soundfile.write(path, utterance(words, number), SAMPLE_RATE)
        lines.append({"id": str(number), "audio_filepath": path.name, "text": " ".join(words)})
    manifest = folder / "spoken.jsonl"
    manifest.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return manifest


@pytest.fixture(scope="module", params=KINDS)
def recorded(request, spoken, tmp_path_factory):
    """A file with its record, and the record."""
    path = tmp_path_factory.mktemp("recorded") / "tones.tflite"
    shutil.copy(tones_file(request.param), path)
    record = make_record(path, spread(recordings(spoken), 3), quiet=True)
    record.write(Record.place(path))
    return path, record


def run(monkeypatch, *words):
    """The exit code of the command."""
    monkeypatch.setattr(sys, "argv", ["tflite-export", "verify", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        cli.main()
    return left.value.code


def test_a_file_on_the_machine_of_its_record(recorded, monkeypatch, capsys):
    path, record = recorded
    assert record.about.texts[0].endswith("TWO")
    read = Record.read(Record.place(path), ModelFile.read(path).checksum.hex())
    assert read.about == record.about
    for mine, theirs in zip(read.features, record.features, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert run(monkeypatch, path, "--json", "--quiet", "--rounds", "1") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["within_bounds"] and not found["failures"] and not found["warnings"]
    assert found["products"] and not found["unchecked"] and not found["changed"]
    assert all(each["unexplained"] == 0 and each["rows"] > 0 for each in found["products"])
    assert found["max_logits"] in (0, None)  # None of a live model
    names = DeviceRecogniser(path).signatures.names()
    assert sorted(each["name"] for each in found["signatures"]) == sorted(names)
    assert all(each["delegated"] > 0 and each["ms"] > 0 for each in found["signatures"])


@pytest.mark.parametrize("recorded", ["ctc"], indirect=True)
def test_without_xnnpack_4_bit_products_are_others(recorded, monkeypatch, capsys):
    path, _ = recorded
    assert run(monkeypatch, path, "--without-xnnpack", "--quiet", "--rounds", "1") == 3
    said = capsys.readouterr().out
    assert "XNNPACK does not run here" in said and "NOT within its bound" in said


@pytest.mark.parametrize("recorded", ["ctc"], indirect=True)
def test_what_is_out_of_bounds(recorded):
    path, record = recorded
    report = check(path, record, products_of=1, rounds=1, quiet=True)
    assert not list(report.failures())
    changed = (ChangedText(id="0", reference="ONE", here="TWO"),)
    assert not list(dataclasses.replace(report, changed=changed).failures())
    (said,) = dataclasses.replace(report, changed=2 * changed).failures()
    assert said == "2 texts changed, 1 may"
    (said,) = dataclasses.replace(report, mean_logits=float("nan")).failures()
    assert said.startswith("logits differ by nan")
    wrong = dataclasses.replace(report.products[0], unexplained=1, max_error=0.5)
    (said,) = dataclasses.replace(report, products=(wrong,)).failures()
    assert said.startswith(f"{wrong.layer}: 1 of ")


@pytest.mark.parametrize("recorded", ["ctc"], indirect=True)
def test_a_wrong_result_is_seen_and_a_tie_is_not_wrong(recorded, monkeypatch):
    path, record = recorded
    watched, seen = WatchedRecogniser(flatbuffer_of(path)), []
    products = watched.products
    check = products.check
    monkeypatch.setattr(products, "check", lambda each: seen.append(each) or check(each))
    watched.recognised(record.features[0].astype(np.float32))
    probe, product = next((k, p) for k, p in products._found.items() if p.kind == "dynamic")
    given, got = seen[0][f"{probe}/input"].copy(), seen[0][f"{probe}/output"].copy()
    row = given.reshape(-1, given.shape[-1])[:1]
    row[:] = 0
    row[0, :3] = 255, 100.5, 31.5  # of a scale of one: two ties
    for first in (100, 101):
        for second in (31, 32):
            rounded = row.copy()
            rounded[0, 1:3] = first, second
            made = got.reshape(-1, got.shape[-1])[:1].copy()
            made[:] = product._finish(rounded, np.ones((1, 1), np.float32))
            found = product.compare(row, made)
            assert found.ties[0] == ((first, second) != (100, 32))  # half to even
            assert found.errors[0] <= product.most(np.ptp(made))
    rounded[0, 0] -= 1  # on no edge
    found = product.compare(row, product._finish(rounded, np.ones((1, 1), np.float32)))
    assert not found.ties[0] and found.errors[0] > 0


def test_rounding():
    x = np.float32([[-1.0, 0.0, 1.55], [0, 0, 0], [3, 2, 1]])
    scaled = scaled_rows(x)
    np.testing.assert_allclose(scaled.rounded()[0], [-100, 0, 155])
    np.testing.assert_allclose(scaled.unit[:, 0], [0.01, 1, 3 / 255], rtol=1e-6)
    np.testing.assert_array_equal(scaled.rounded()[1], 0)
    assert not list(other_roundings(scaled.row(1)))
    ends = np.full((1, 1), 127, np.float32)
    many = Scaled(np.full((1, 20), 2.5, np.float32), -ends, ends, ends)
    (away,) = other_roundings(many)  # too many to try them all
    np.testing.assert_array_equal(away, 3)
    (down,) = other_roundings(Scaled(-many.values[:, :1], -ends, ends, ends))
    np.testing.assert_array_equal(down, -3)


def test_records_that_are_none(recorded, tmp_path, monkeypatch, capsys):
    path, _ = recorded
    place, checksum = Record.place(path), ModelFile.read(path).checksum.hex()
    with pytest.raises(UserError, match="the record of another file"):
        Record.read(place, "00")
    with pytest.raises(UserError, match="no such record: make it with --record"):
        Record.read(tmp_path / "none.verify.npz", checksum)
    cut = tmp_path / "cut.verify.npz"
    for size in (0, 10, place.stat().st_size // 2):
        cut.write_bytes(place.read_bytes()[:size])
        with pytest.raises(UserError, match="damaged"):
            Record.read(cut, checksum)
    turned = bytearray(place.read_bytes())
    middle = len(turned) // 2
    turned[middle : middle + 64] = bytes(byte ^ 255 for byte in turned[middle : middle + 64])
    cut.write_bytes(turned)
    with pytest.raises(UserError, match="damaged"):
        Record.read(cut, checksum)
    assert run(monkeypatch, path, "--record", "--data", "x", "--threads", 2) == 1
    assert "leave the other options out" in capsys.readouterr().err
    assert run(monkeypatch, path, "--utterances", 1, "--quiet", "--rounds", 1, "--json") == 0
    assert json.loads(capsys.readouterr().out)["utterances"] == 1
    assert run(monkeypatch, path, "--record") == 1
    assert "add --data" in capsys.readouterr().err
    assert run(monkeypatch, path, "--data", "x") == 1
    assert "--data: is of --record" in capsys.readouterr().err
