"""`tflite-export evaluate` and `convert` as commands."""

import json

import jiwer
import pytest

from tests.export_fixtures import SECONDS

pytest_plugins = ["tests.export_fixtures"]
pytestmark = pytest.mark.slow

KEYS = """name precision method bytes utterances words wer wer_ci cer rtf latency_ms peak_rss_mb
threads ratio wer_diff wer_diff_ci against_keras command commit versions hardware""".split()


@pytest.fixture
def file(exported, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(exported("w4a8").read_bytes())
    return path


def test_figures_as_json(tflite_export, file, manifest, model_directory):
    code, out, _ = tflite_export(
        "evaluate", file, "--data", manifest, "--json", "--compare", model_directory
    )
    assert code == 0
    found = json.loads(out)
    assert set(KEYS) <= found.keys()
    assert found["name"] == "model.tflite"
    assert (found["precision"], found["method"]) == ("w4a8", "ptq")
    assert found["bytes"] == file.stat().st_size
    assert found["wer_ci"][0] <= found["wer"] <= found["wer_ci"][1]
    assert 0 < found["latency_ms"]["p50"] <= found["latency_ms"]["p95"]
    assert found["latency_ms"]["p95"] <= found["latency_ms"]["p99"]
    assert 0 < found["rtf"] < 10
    assert 20 < found["peak_rss_mb"] < 2000
    assert found["threads"] == 1
    assert found["ratio"] is found["wer_diff"] is None  # no baseline
    keras = found["against_keras"]
    assert keras["identical_hypotheses"] == 1 - len(keras["different"]) / found["utterances"]
    assert keras["max_logit_diff"] >= keras["median_logit_diff"] >= 0
    assert keras["rounding_floor"] >= 0
    assert "evaluate" in found["command"] and "--compare" in found["command"]
    assert {"python", "numpy", "ai-edge-litert"} <= found["versions"].keys()
    assert found["hardware"]["cores"] >= 1

    rows = read_lines(f"{file}.hypotheses.jsonl")
    given = read_lines(manifest)
    assert [row["id"] for row in rows] == [line["id"] for line in given]
    assert [row["reference"] for row in rows] == [line["text"] for line in given]
    texts = [row["reference"] for row in rows], [row["hypothesis"] for row in rows]
    assert found["wer"] == pytest.approx(jiwer.wer(*texts))
    assert found["cer"] == pytest.approx(jiwer.cer(*texts))
    assert found["words"] == sum(len(text.split()) for text in texts[0])


def read_lines(path) -> list[dict]:
    with open(path) as lines:
        return [json.loads(line) for line in lines]


def test_figures_as_text(tflite_export, file, prepared_folder, tmp_path):
    written = tmp_path / "elsewhere.jsonl"
    code, out, err = tflite_export(
        "evaluate",
        file,
        *("--data", prepared_folder, "--split", "dev", "--hypotheses", written),
        *("--threads", 2, "--quiet"),
    )
    assert code == 0
    assert out.startswith(f"{prepared_folder} (dev)\nmodel.tflite: ptq w4a8\nWER ")
    assert "3 utterances" in out and "2 threads" in out
    assert len(read_lines(written)) == 3
    assert not file.with_name("model.tflite.hypotheses.jsonl").exists()


def test_convert_writes_the_file_and_says_so(tflite_export, model_directory, exported, tmp_path):
    output = tmp_path / "new.tflite"
    words = ("--precision", "w4a8", "-o", output, "--seconds", *SECONDS)
    code, out, _ = tflite_export("convert", model_directory, *words)
    size = output.stat().st_size
    assert (code, out) == (0, f"{output}: {size:,} bytes, w4a8\n")
    assert output.read_bytes() == exported("w4a8").read_bytes()
    assert set(tmp_path.iterdir()) == {output, tmp_path / "new.tflite.md"}
