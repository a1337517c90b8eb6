"""Studies of tiny models: run, resumed, refused."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from asr_qat import cli, files
from asr_qat.errors import UserError
from asr_qat.lock import NAME, locked
from experiments.study.planned_cells import expand
from experiments.study.run_study import plan, report, study
from experiments.study.saved_study import read_cell, read_study
from tests.study_run_fixtures import GROUPS, cell_file, configuration, refusal, written
from tests.training_fixtures import REPOSITORY, as_yaml

pytest_plugins = ["tests.training_fixtures", "tests.study_run_fixtures"]

NAMES = [
    "float_s2_seed0",
    "w4a8_ptq_s2_seed0",
    "w4a8_native_s2_seed0",
    "w4a4_fake_s2_seed0",
]


@pytest.fixture(scope="module")
def finished(prepared_folder, start, tmp_path_factory):
    """A study that was run, and what it gave back."""
    config = configuration(prepared_folder, start, tmp_path_factory.mktemp("study"))
    return config, study(config, quiet=True)


@pytest.fixture
def copied(finished, tmp_path):
    """A finished study whose files may be changed."""
    config, _ = finished
    shutil.copytree(Path(config.output).parent, tmp_path / "results")
    shutil.copytree(config.work, tmp_path / "work")
    work = str(tmp_path / "work")
    return dataclasses.replace(config, output=str(tmp_path / "results/study"), work=work)


@pytest.mark.long
def test_every_cell_is_trained_exported_and_scored(finished):
    from asr_qat.corpora.recordings import recordings
    from tflite_export.runtime.recogniser import TFLiteRecogniser
    from tflite_export.score import evaluate

    config, content = finished
    assert [row.name for row in content.rows] == NAMES
    assert read_study(f"{config.output}.json").summary == content
    for cell, row in zip(expand(config), content.rows, strict=True):
        own = read_cell(cell_file(config, cell.name))
        assert not (cell.model / "checkpoints").exists()
        assert row.seed == 0 and row.steps == 2
        if not row.executed_on_device:
            assert row.precision == "w4a4" and not cell.file.exists()
            assert row.first.rtf is None and row.first.identical_hypotheses is None
            continue
        device = TFLiteRecogniser(cell.file)
        assert row.bytes == cell.file.stat().st_size
        assert (row.precision, row.method) == (
            device.metadata.precision,
            device.metadata.method,
        )
        for split in ("test", "dev"):
            items = recordings(config.data, split)
            result = evaluate.run(device, items, quiet=True)
            assert list(own.splits[split].hypotheses) == result.hypotheses
            expected = evaluate.summarize(result, items, 1)
            for key in ("utterances", "words", "wer", "cer"):
                assert getattr(row.splits[split], key) == pytest.approx(getattr(expected, key))
        assert row.first == row.splits["test"]


@pytest.mark.long
def test_every_file_is_timed(finished):
    config, _ = finished[:2]
    speed = files.read_json(Path(config.output) / "speed.json")
    assert set(speed["rtf"]) == {"float_s2", "w4a8_ptq_s2", "w4a8_native_s2"}
    (run,) = speed["runs"]
    for name, rounds in run["rounds"].items():
        assert min(rounds) == speed["rtf"][name] > 0 and len(rounds) == 3
    assert run["threads"] == 1


@pytest.mark.long
def test_ptq_quantizes_the_baseline(finished):
    import numpy as np

    from asr_qat.models.model_directory import Recogniser
    from asr_qat.training.quantized import post_training
    from tflite_export.convert.convert import convert_recogniser
    from tflite_export.runtime.recogniser import TFLiteRecogniser

    config, _ = finished
    baseline, ptq, *_ = expand(config)
    assert (baseline.method, ptq.method) == ("float", "ptq")
    source = post_training(Recogniser.load(baseline.model), "w4a8")
    path = ptq.file.with_name("again.tflite")
    path.write_bytes(convert_recogniser(source, None, config.seconds))
    noise = np.random.default_rng(0).standard_normal((90, 80)).astype(np.float32)
    first, second = (TFLiteRecogniser(p).encode(noise) for p in (ptq.file, path))
    np.testing.assert_array_equal(first, second)


@pytest.mark.long
def test_only_what_is_missing_is_run_again(copied, finished):
    cell_file(copied, "w4a8_native_s2_seed0").unlink()
    before = written(copied)
    content = study(copied, quiet=True)
    after = written(copied)
    assert {name for name in after if after[name] != before.get(name)} == {"w4a8_native_s2_seed0"}
    wer = {row.name: row.first.wer for row in content.rows}
    assert wer == {row.name: row.first.wer for row in finished[1].rows}


@pytest.mark.long
def test_finished_cells_need_no_models(copied):
    shutil.rmtree(copied.work)
    before = written(copied)
    content = study(copied, quiet=True)
    assert written(copied) == before and len(content.rows) == len(NAMES)


@pytest.mark.long
def test_baseline_is_trained_again_for_a_ptq_cell_that_needs_its_model(copied):
    shutil.rmtree(copied.work)
    cell_file(copied, "w4a8_ptq_s2_seed0").unlink()
    before = written(copied)
    study(copied, quiet=True)
    after = written(copied)
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {"w4a8_ptq_s2_seed0", "float_s2_seed0"}


@pytest.mark.long
def test_another_configuration_is_refused(copied):
    training = {**copied.training, "optimizer": {"clip_norm": 1.0}}
    message = refusal(dataclasses.replace(copied, training=training))
    assert "float_s2_seed0.json" in message and "training" in message
    assert "seconds" in refusal(dataclasses.replace(copied, seconds=(1.0,)))
    path = cell_file(copied, "w4a8_ptq_s2_seed0")
    path.write_text("[]")
    assert str(path) in refusal(copied)


@pytest.mark.long
def test_cells_of_another_version_of_the_corpus_are_not_reported(copied):
    path = cell_file(copied, "w4a8_ptq_s2_seed0")
    content = files.read_json(path)
    content["fingerprint"]["corpus"] = "of another version"
    files.write_json(path, content)
    with pytest.raises(UserError, match="w4a8_ptq_s2_seed0.json: .* made with another corpus:"):
        report(copied)
    path.unlink()
    assert len(report(copied).rows) == len(NAMES) - 1


def said_of(config, folder, capsys, monkeypatch, *words) -> tuple[int, str, str]:
    """Exit code, output and error of the command."""
    path = as_yaml(config, folder / "study.yaml")
    monkeypatch.setattr("sys.argv", ["asr-qat", "study", "--config", str(path), *words])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return stopped.value.code, *capsys.readouterr()


def test_a_study_at_its_beginning(prepared_folder, tmp_path, capsys, monkeypatch):
    """Listed as far as it is known, and without a report."""
    groups = {"mixed": {"precisions": ["w8a8", "w4a8"], "budgets": ["5x", "w4a8"]}, **GROUPS}
    start = REPOSITORY / "models/an4_tiny_float"
    config = configuration(prepared_folder, start, tmp_path, groups)
    run = (config, tmp_path, capsys, monkeypatch)
    code, out, _ = said_of(*run, "--list")
    assert code == 0
    *cells, later, count = out.splitlines()
    assert [line.split()[:3] for line in cells] == [["to", "do", name] for name in NAMES]
    assert later == "later  mixtures of 5x, w4a8: known after the sensitivity was measured  (mixed)"
    assert count == "0 of 4 cells are done"
    code, out, error = said_of(*run, "--report")
    assert (code, out) == (1, "")
    output = f"{tmp_path}/results/study"
    assert error.splitlines()[-1] == (
        f"asr-qat: error: {output}: no cell is finished yet: run `asr-qat study` without --report"
    )
    assert not Path(output).parent.exists()


def test_no_model_to_start_from(prepared_folder, tmp_path, capsys, monkeypatch):
    config = configuration(prepared_folder, tmp_path / "none", tmp_path)
    for words in ([], ["--list"]):
        code, _, error = said_of(config, tmp_path, capsys, monkeypatch, *words)
        expected = f"asr-qat: error: {tmp_path}/none: no such model directory"
        assert (code, error.splitlines()[-1]) == (1, expected)


@pytest.mark.long
def test_only_chooses_cells_and_their_baselines(finished):
    config, _ = finished
    assert [job.cell.name for job in plan(config, "four")] == NAMES[:3]
    assert [job.cell.name for job in plan(config, "w4a4_*")] == [NAMES[0], NAMES[3]]
    assert [job.cell.name for job in plan(config, NAMES[1])] == NAMES[:2]
    with pytest.raises(UserError, match="groups are four, training_only"):
        plan(config, "w9*")
    assert all(job.done for job in plan(config))


@pytest.mark.long
def test_second_study_of_the_same_folder_is_refused(copied):
    with locked(Path(copied.work) / NAME):
        assert f"{copied.work}: is being written by `" in refusal(copied)
