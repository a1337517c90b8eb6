"""Expected against measured: the check puts a whole assignment into the model."""

import json

import numpy as np
import pytest

from asr_qat import cli
from asr_qat.quantize.apply import QuantizationConfig, quantize_model
from experiments.sensitivity.assignment import assign, uniform
from experiments.sensitivity.check_assignment import check_assignments
from experiments.sensitivity.measure_sensitivity import measure_sensitivity
from tests.test_sensitivity import folder, losses_of_model, recogniser  # noqa: F401  # fixtures


@pytest.mark.slow
def test_all_layers_at_once(recogniser, folder):  # noqa: F811
    sensitivity = measure_sensitivity(recogniser, folder, ("w8a8", "w2a8"), quiet=True)
    two = uniform(sensitivity, "w2a8")
    mixture = assign(sensitivity, (uniform(sensitivity, "w8a8").bytes + two.bytes) // 2)
    assert set(mixture.precisions.values()) == {"w8a8", "w2a8"}
    before = [w.numpy() for w in recogniser.model.weights]
    assignments = {"mixture": mixture, "two": two}
    first, second = check_assignments(recogniser, folder, assignments, quiet=True)
    for was, now in zip(before, recogniser.model.weights, strict=True):
        np.testing.assert_array_equal(was, now)
    assert (first.name, first.bytes, first.layers) == ("mixture", mixture.bytes, mixture.counts)
    assert first.expected == mixture.divergence
    assert 0 < first.divergence < second.divergence

    # The same with float activations, as tfmot quantizes the model.
    overrides = {layer: name.removesuffix("a8") for layer, name in mixture.overrides.items()}
    model = quantize_model(recogniser.model, QuantizationConfig("w2", overrides=overrides))
    rise, change = (
        losses_of_model(recogniser, folder, model, own)
        - losses_of_model(recogniser, folder, recogniser.model, own)
        for own in (False, True)
    )
    assert first.loss == pytest.approx(rise.mean(), abs=2e-3)
    assert first.loss_interval == pytest.approx(1.96 * rise.std() / 3**0.5, abs=2e-3)
    divergence = np.mean(np.exp(-np.abs(change)) - 1 + np.abs(change))
    assert first.divergence == pytest.approx(divergence, abs=2e-3)


@pytest.mark.slow
def test_the_commands_one_after_the_other(
    monkeypatch,
    capsys,
    tmp_path,
    recogniser,  # noqa: F811
    folder,  # noqa: F811
):
    def run(*words):
        monkeypatch.setattr("sys.argv", ["asr-qat", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return stopped.value.code, *capsys.readouterr()

    model, file, out = tmp_path / "model", tmp_path / "s.json", tmp_path / "check.json"
    recogniser.save(model)
    words = ("--model", model, "--data", folder.path)
    code, _, _ = run("sensitivity", *words, "--precisions", "w8a8", "w2a8", "--out", file)
    assert code == 0
    words = ("check-assignment", *words, "--sensitivity", file, "--out", out, "--budgets")
    code, printed, _ = run(*words, "w2a8", "99,999")
    assert code == 0
    rows = json.loads(out.read_text())["rows"]
    assert [row["name"] for row in rows] == ["all w2a8", "mixture, w2a8", "mixture, 99,999"]
    assert len(printed.splitlines()) == 1 + len(rows)
    assert rows[0]["divergence"] == rows[1]["divergence"]  # the least bytes leave no choice
    assert rows[2]["layers"] == {"w8a8": sum(rows[0]["layers"].values())}
    code, _, said = run(*words, "5")
    assert (code, "are not enough" in said) == (1, True)
    content = json.loads(file.read_text())
    file.write_text(json.dumps(content | {"weights_sha256": "other"}))
    code, _, said = run(*words, "w2a8")
    assert (code, said.splitlines()[-1]) == (
        1,
        f"asr-qat: error: {file}: was measured with another model",
    )
