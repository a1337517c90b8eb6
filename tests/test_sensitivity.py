"""Sensitivity: one layer rounded at a time, everything else as it was."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from asr_qat import cli
from asr_qat.corpora.dataset import Pipeline
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.errors import UserError
from asr_qat.losses.targets import pack_targets
from asr_qat.models.layer_names import part_of
from asr_qat.models.model_config import ModelConfig
from asr_qat.models.model_directory import Recogniser
from asr_qat.models.summary import summarize, total
from asr_qat.quantize.apply import QuantizationConfig, quantize_model
from experiments.sensitivity.assignment import assign
from experiments.sensitivity.layer_sensitivity import Sensitivity, Source
from experiments.sensitivity.measure_sensitivity import (
    BATCHES,
    UtteranceLosses,
    difference,
    measure_sensitivity,
)
from experiments.sensitivity.sensitivity_report import parts_table, sensitivity_figure
from tests import live_fixtures as live
from tests.export_fixtures import DENSE_LAYERS, quantized
from tests.training_fixtures import ENCODER

pytest_plugins = ["tests.training_fixtures", "tests.transducer_fixtures", "tests.export_fixtures"]

PRECISIONS = ("float", "w8a8", "w2a8")


@pytest.fixture(scope="module")
def folder(prepared_folder) -> PreparedFolder:
    return PreparedFolder(prepared_folder)


@pytest.fixture(scope="module")
def recogniser(folder) -> Recogniser:
    """A CTC model of random weights that hears something in every utterance."""
    tf.keras.utils.set_random_seed(3)
    made = Recogniser.create(
        ModelConfig(ENCODER, folder.stats.front_end),
        folder.tokenizer,
        folder.stats.mean,
        folder.stats.std,
    )
    output = made.model.get_layer("ctc_output")
    output.bias.assign(-4.0 * np.eye(output.units)[-1])  # few blanks
    return made


@pytest.fixture(scope="module")
def weights_before(recogniser) -> list[np.ndarray]:
    return [w.numpy() for w in recogniser.model.weights]


@pytest.fixture(scope="module")
def measured(recogniser, folder, weights_before) -> Sensitivity:
    return measure_sensitivity(recogniser, folder, PRECISIONS, quiet=True)


def losses_of_model(recogniser, folder, model, own: bool) -> np.ndarray:
    """Loss of each utterance alone, of its transcript or of what `recogniser` hears."""
    pipeline = Pipeline(folder, dataclasses.replace(BATCHES, batch_size=1), stats=folder.stats)
    decoder, found = recogniser.decoder(), []
    loss, _ = recogniser.config.kind.losses()[0]
    for inputs, targets in pipeline.evaluation("dev"):
        if own:
            (tokens,) = decoder.search(decoder.encode(*inputs), inputs[1].numpy())
            assert tokens  # else there is nothing to compare
            targets = pack_targets(inputs[1], tf.constant([tokens]))
        outputs = tf.nest.flatten(model(recogniser.model_inputs(inputs, targets)))[0]
        found.append(loss.call(targets, outputs).numpy()[0])
    return np.array(found)


@pytest.mark.parametrize("layer", ["block_00_ffn1_expand", "ctc_output"])
def test_a_row_is_the_model_with_that_layer_quantized(recogniser, folder, measured, layer):
    overrides = {f"^{layer}$": "w2", ".": "float"}
    model = quantize_model(recogniser.model, QuantizationConfig("w2", overrides=overrides))
    rise, change = (
        losses_of_model(recogniser, folder, model, own)
        - losses_of_model(recogniser, folder, recogniser.model, own)
        for own in (False, True)
    )
    row = measured.by_layer()[layer]["w2a8"]
    assert np.abs(rise).max() > 1e-2
    assert row.loss == pytest.approx(rise.mean(), abs=2e-3)
    divergence = np.mean(np.exp(-np.abs(change)) - 1 + np.abs(change))
    assert row.divergence == pytest.approx(divergence, abs=2e-3)


def test_every_layer_at_every_precision(recogniser, measured):
    layers = measured.by_layer()
    assert len(layers) == DENSE_LAYERS
    assert all(list(own) == list(PRECISIONS) for own in layers.values())
    for own in layers.values():
        assert own["float"].loss == own["float"].divergence == 0
        assert 0 <= own["w8a8"].divergence < own["w2a8"].divergence
    assert measured.utterances == 3
    assert measured.loss > 0


def test_bytes_are_those_of_the_summary(recogniser, measured):
    for name in PRECISIONS:
        rows = [own[name] for own in measured.by_layer().values()]
        expected = total(summarize(recogniser.model, QuantizationConfig(name))).bytes
        assert measured.other_bytes + sum(row.bytes for row in rows) == expected
    assert measured.float_bytes == total(summarize(recogniser.model)).bytes


def test_parts_as_a_whole(recogniser, folder, measured):
    parts = {(row.layer, row.precision): row for row in measured.parts}
    assert list(parts) == [(part, name) for part in ("encoder", "output") for name in PRECISIONS]
    alone = measured.by_layer()
    for name in PRECISIONS:
        own = dataclasses.replace(parts["output", name], layer="ctc_output")
        assert own == alone["ctc_output"][name]  # the only layer of this part
        inside = [row[name].bytes for layer, row in alone.items() if layer != "ctc_output"]
        assert parts["encoder", name].bytes == sum(inside)
    overrides = {"^ctc_output$": "float"}
    model = quantize_model(recogniser.model, QuantizationConfig("w2", overrides=overrides))
    rise = losses_of_model(recogniser, folder, model, False) - losses_of_model(
        recogniser, folder, recogniser.model, False
    )
    assert parts["encoder", "w2a8"].loss == pytest.approx(rise.mean(), abs=2e-3)


@pytest.mark.parametrize(
    ("layer", "part"),
    [
        ("subsampling_project", "encoder"),
        ("block_03_ffn1_expand", "encoder"),
        ("joint_encoder", "encoder"),
        ("cascade_00_conv_expand", "cascade"),
        ("joint_cascade", "cascade"),
        ("prediction_lstm_input", "output"),
        ("joint_prediction", "output"),
        ("joint_output", "output"),
        ("ctc_output", "output"),
    ],
)
def test_part_of_a_layer(layer, part):
    assert part_of(layer) == part


@pytest.mark.usefixtures("measured")
def test_the_model_is_as_before(recogniser, weights_before):
    for was, now in zip(weights_before, recogniser.model.weights, strict=True):
        np.testing.assert_array_equal(was, now)


def test_divergence_is_zero_for_equals_and_never_negative():
    rng = np.random.default_rng(0)
    before = rng.uniform(0, 90, (50, 2)).astype(np.float32)
    assert difference(before, before) == [0.0, 0.0]
    after = before + rng.normal(0, 3, before.shape).astype(np.float32)
    loss, divergence = difference(before, after)
    assert loss == pytest.approx(np.mean(after[:, 0] - before[:, 0]), abs=1e-5)
    assert divergence > 0
    # The Kullback-Leibler divergence of two distributions by samples of the first.
    p, q = rng.dirichlet(np.ones(5)), rng.dirichlet(np.ones(5))
    q = p + 0.05 * (q - p)
    samples = rng.choice(5, 200_000, p=p)
    nats = -np.log(np.stack([p, q]))[:, samples]
    _, found = difference(*(np.stack([row, row], axis=-1) for row in nats))
    assert found == pytest.approx(np.sum(p * np.log(p / q)), rel=0.1)


def test_part_of_the_utterances(recogniser, folder):
    whole = UtteranceLosses(recogniser, folder, "train")()
    assert whole.shape == (12, 2)
    np.testing.assert_array_equal(UtteranceLosses(recogniser, folder, "train", 99)(), whole)
    assert len(UtteranceLosses(recogniser, folder, "train", 1)()) == 12  # one batch has them all


def test_an_utterance_in_which_nothing_is_heard(recogniser, folder):
    """Its transcript stands for what is recognised."""
    bias = recogniser.model.get_layer("ctc_output").bias
    before = bias.numpy()
    try:
        bias.assign(90.0 * np.eye(bias.shape[0], dtype=np.float32)[-1])
        found = UtteranceLosses(recogniser, folder)()
    finally:
        bias.assign(before)
    np.testing.assert_array_equal(found[:, 0], found[:, 1])
    assert np.all(found > 1)


@pytest.mark.long
@pytest.mark.slow
def test_a_transducer(transducer_run, folder):
    """Its CTC head is used in training only: not measured, and not among the bytes."""
    _, recogniser = transducer_run
    measured = measure_sensitivity(recogniser, folder, ("w8a8", "w2a8"), quiet=True)
    layers = measured.by_layer()
    assert "ctc_output" not in layers
    assert {"joint_output", "joint_encoder"} <= set(layers)
    assert sum(own["w2a8"].divergence for own in layers.values()) > sum(
        own["w8a8"].divergence for own in layers.values()
    )
    rows = [row for row in summarize(recogniser.model) if row.name != "ctc_output"]
    assert measured.float_bytes == total(rows).bytes
    model = quantize_model(
        recogniser.model,
        QuantizationConfig("w2", overrides={"^joint_output$": "w2", ".": "float"}),
    )
    rise = losses_of_model(recogniser, folder, model, False) - losses_of_model(
        recogniser, folder, recogniser.model, False
    )
    assert layers["joint_output"]["w2a8"].loss == pytest.approx(rise.mean(), rel=0.02, abs=2e-3)
    overrides = assign(measured, "w2a8").overrides
    quantize_model(recogniser.model, QuantizationConfig(overrides=overrides))


@pytest.mark.long
@pytest.mark.slow
def test_both_encoders_of_a_live_model(folder):
    """The cascade is on the second pass's way alone, the causal encoder on both."""
    tf.keras.utils.set_random_seed(3)
    encoder = dataclasses.replace(live.ENCODER, blocks=1)
    streaming = dataclasses.replace(live.STREAMING, cascade_blocks=1)
    shape = ModelConfig(encoder, transducer=live.TRANSDUCER, streaming=streaming)
    made = Recogniser.create(shape, folder.tokenizer, folder.stats.mean, folder.stats.std)
    measured = measure_sensitivity(made, folder, ("w8a8", "w2a8"), quiet=True)
    parts = {(row.layer, row.precision): row for row in measured.parts}
    assert {part for part, _ in parts} == {"encoder", "cascade", "output"}
    assert sum(row.bytes for row in measured.parts) == sum(row.bytes for row in measured.rows)
    for part in ("encoder", "cascade", "output"):
        assert parts[part, "w2a8"].divergence > parts[part, "w8a8"].divergence > 0
        first, second = parts[part, "w2a8"].by_pass
        assert second > 0 and (first == 0 if part == "cascade" else first > 0)
    (layer,) = (r for r in measured.rows if (r.layer, r.precision) == ("joint_cascade", "w2a8"))
    assert layer.by_pass[0] == 0 < layer.by_pass[1]
    lines = parts_table(measured, Source("m", "", "c", "dev")).splitlines()
    assert lines[0].endswith("| Nats per utterance | first pass | second pass |")
    cascade = parts["cascade", "w2a8"]
    (line,) = (line for line in lines if line.startswith("| cascade | w2a8 |"))
    assert line.endswith(f"| {cascade.divergence:.4f} | 0.0000 | {cascade.by_pass[1]:.4f} |")
    below = sensitivity_figure(measured).axes[2]
    columns = [text.get_text() for text in below.get_xticklabels()]
    assert columns == ["0", "+0", "rest"]


def test_what_is_refused(recogniser, folder):
    with pytest.raises(UserError, match="quantized already"):
        measure_sensitivity(quantized(recogniser, QuantizationConfig()), folder, quiet=True)
    with pytest.raises(UserError, match="precision 'w5': expected"):
        measure_sensitivity(recogniser, folder, ("w5",), quiet=True)
    with pytest.raises(UserError, match="no split 'eval'"):
        measure_sensitivity(recogniser, folder, ("w4a8",), "eval", quiet=True)
    with pytest.raises(UserError, match="none given"):
        measure_sensitivity(recogniser, folder, (), quiet=True)


def test_another_vocabulary(float_recogniser, folder):
    with pytest.raises(UserError, match="its vocabulary is not the model's"):
        measure_sensitivity(float_recogniser, folder, quiet=True)


def test_the_command(monkeypatch, capsys, tmp_path, recogniser, folder, measured):
    recogniser.save(tmp_path / "model")

    def run(*words):
        monkeypatch.setattr("sys.argv", ["asr-qat", "sensitivity", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return stopped.value.code, *capsys.readouterr()

    out = tmp_path / "s.json"
    plot = ("--plot", tmp_path / "s.png", "--table", tmp_path / "s.md")
    words = ("--data", folder.path, "--out", out, *plot, "--precisions", *PRECISIONS)
    code, printed, _ = run("--model", tmp_path / "model", *words)
    assert code == 0
    assert len(printed.splitlines()) == 1 + DENSE_LAYERS + 1 + 1 + 2
    assert (tmp_path / "s.png").read_bytes().startswith(b"\x89PNG")
    found = Sensitivity.load(out)
    assert [row.layer for row in found.rows] == [row.layer for row in measured.rows]
    np.testing.assert_allclose(
        [row.divergence for row in found.rows],
        [row.divergence for row in measured.rows],
        atol=1e-4,
    )
    content = json.loads(out.read_text())
    assert content["split"] == "dev"
    assert len(content["weights_sha256"]) == 64
    assert "commit" in content
    code, _, said = run("--model", tmp_path / "none", *words)
    assert (code, said.splitlines()[-1]) == (
        1, f"asr-qat: error: {tmp_path}/none: no such model directory",
    )  # fmt: skip
