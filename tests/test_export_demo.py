"""The demo on a corpus of tones and a tiny model: every file and figure is there."""

import dataclasses
import json
import shutil
from types import SimpleNamespace

import pytest
import yaml

from asr_qat.corpora import fallback
from asr_qat.errors import UserError
from experiments.demo import demo, demo_page
from tflite_export import cli

pytest_plugins = ["tests.export_fixtures"]
pytestmark = pytest.mark.slow


@pytest.fixture
def root(tmp_path, model_directory, monkeypatch):
    """A repository with the float model and the configuration of the corpus `manifest`."""
    shutil.copytree(model_directory, tmp_path / "models/manifest_tiny_float")
    (tmp_path / "configs").mkdir()
    config = {"data": "", "output": "", "steps": 2, "evaluate_every": 2}
    config |= {"batches": {"batch_size": 4}, "quantization": {"precision": "w4a8"}}
    (tmp_path / "configs/manifest_tiny_w4a8.yaml").write_text(yaml.safe_dump(config))
    monkeypatch.setattr(demo, "ROOT", tmp_path)
    return tmp_path


def test_demo(root, synthetic_corpus, monkeypatch):
    read = []
    reader = fallback.reader
    monkeypatch.setattr(fallback, "reader", lambda name: read.append(name) or reader(name))
    results = root / "results"
    content = demo.demo(str(synthetic_corpus), root / "work", results, "manifest", quiet=True)
    assert read == ["manifest"]
    assert {path.suffix for path in results.iterdir()} == {".json", ".md", ".png", ".html"}
    written = json.loads((results / "demo_manifest.json").read_text())
    assert written == json.loads(json.dumps(dataclasses.asdict(content)))  # tuples become lists
    rows = written["rows"]
    assert [row["name"] for row in rows] == [variant.name for variant in demo.VARIANTS]
    assert [row["method"] for row in rows] == ["float", "float", "ptq", "ptq", "native-qat"]
    assert rows[0]["ratio"] == 1 < rows[2]["ratio"] < rows[3]["ratio"]
    assert rows[0]["wer_diff_ci"] is None
    baselines = ["float32", "float32", "float32", "float32 trained on"]
    assert [row["baseline"] for row in rows] == [None, *baselines]
    wer = {row["name"]: row["wer"] for row in rows}
    for row in rows[1:]:
        assert row["wer_diff"] == pytest.approx(row["wer"] - wer[row["baseline"]])
    trained_on = json.loads((root / "work/manifest_tiny_trained_on/training.json").read_text())
    quantized = json.loads((root / "work/manifest_tiny_w4a8/training.json").read_text())
    assert trained_on["quantization"] is None is not quantized["quantization"]
    changed = {"quantization", "output"}
    assert {k: v for k, v in trained_on.items() if k not in changed} == {
        k: v for k, v in quantized.items() if k not in changed
    }
    equality = json.loads((results / "equality_manifest.json").read_text())
    assert len(equality["products"]) > 10
    assert equality["model"]["utterances"] == content.corpus.utterances == 3


def test_without_being_asked_it_writes_nothing_but_work(monkeypatch, capsys):
    asked = []
    found = SimpleNamespace(corpus=SimpleNamespace(name="an4"))
    monkeypatch.setattr(demo, "demo", lambda *arguments: asked.append(arguments) or found)
    monkeypatch.setattr(demo_page, "markdown_table", lambda content: "the table")
    for arguments in (["demo"], ["demo", "--work", "there"], ["demo", "--results", "results"]):
        monkeypatch.setattr("sys.argv", ["tflite-export", *arguments])
        with pytest.raises(SystemExit, match="0"):
            cli.main()
    results = [arguments[2] for arguments in asked]
    assert results == ["work/demo/results", "there/results", "results"]
    said = capsys.readouterr().out
    assert "the table" in said
    assert "the page: work/demo/results/demo.html" in said


def test_work_on_another_float_model(root, synthetic_corpus):
    (root / "work").mkdir()
    (root / "work/manifest_tiny_float.sha256").write_text("another")
    with pytest.raises(UserError, match="work: was made from another manifest_tiny_float: remove"):
        demo.demo(str(synthetic_corpus), root / "work", root / "results", "manifest", quiet=True)


def test_a_corpus_without_a_float_model(root, synthetic_corpus):
    shutil.rmtree(root / "models")
    with pytest.raises(UserError, match="no such float model for the corpus manifest: train one"):
        demo.demo(str(synthetic_corpus), root / "work", root / "results", "manifest", quiet=True)
