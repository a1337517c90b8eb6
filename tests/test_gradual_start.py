"""Gradual start: layer after layer, and from wide to narrow weights."""

import dataclasses
import functools
import json

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from asr_qat.config import from_dict
from asr_qat.errors import UserError
from asr_qat.models.model_directory import Recogniser
from asr_qat.quantize.apply import (
    QuantizationConfig,
    quantize_model,
    quantized_layers,
    steps_to_complete,
)
from asr_qat.quantize.dense import Dense
from asr_qat.training.run import train
from asr_qat.training.word_error_rate import Evaluator
from tests.conftest import long_case
from tests.training_fixtures import configuration, history, refusal

pytest_plugins = ["tests.training_fixtures"]

NAMES = ["first", "second", "third"]
STAGES = {0: 8, 2: 4, 4: 2}


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    x = features = keras.Input((32,))
    for name in NAMES:
        x = Dense(64, activation="tanh", name=name)(x)
    return keras.Model(features, x)


@pytest.fixture(scope="module")
def rows():
    return tf.random.stateless_normal([5, 32], [1, 2])


@functools.cache
def training_graph(quantized):
    """Traced once, as in a training: the step is not in the graph."""
    return tf.function(lambda rows: quantized(rows, training=True))


def advance(quantized, rows):
    """One training step that moves nothing. Returns the outputs of its forward pass."""
    return training_graph(quantized)(rows).numpy()


def at_width(precision, bits):
    """The same precision at another width."""
    return precision.replace("w2", f"w{bits}")


@pytest.mark.parametrize(
    ("precision", "mode"),
    [("w2a8", "native"), ("w2-aqt", "fake"), ("w2a8-b32", "native")],
)
def test_widths_by_step(model, rows, precision, mode):
    """At each step, in training and evaluation, the model is that of the stage's width."""
    quantized = quantize_model(model, QuantizationConfig(precision, mode, stages=STAGES))
    models = {
        bits: quantize_model(model, QuantizationConfig(at_width(precision, bits), mode))
        for bits in (8, 4, 2)
    }
    for bits in (8, 8, 4, 4, 2, 2):
        fixed = models[bits]
        for name, layer in quantized_layers(quantized).items():
            integers, grid = layer.integers()
            expected, expected_grid = quantized_layers(fixed)[name].integers()
            np.testing.assert_array_equal(integers, expected)
            np.testing.assert_array_equal(grid.scale, expected_grid.scale)
            assert np.abs(integers).max() <= 2 ** (bits - 1) - 1
        np.testing.assert_array_equal(quantized(rows), fixed(rows))
        outputs = advance(quantized, rows)  # compiled, where sums may be in another order
        np.testing.assert_allclose(outputs, advance(fixed, rows), atol=1e-5)


def test_stages_of_an_asymmetric_grid(model, rows):
    config = QuantizationConfig("w2a8-asym", stages={0: 4, 1: 2})
    quantized = quantize_model(model, config)
    for bits in (4, 2):
        for name, layer in quantized_layers(quantized).items():
            weights, (integers, grid) = model.get_layer(name).kernel.numpy(), layer.integers()
            assert integers.numpy().min() == -(2 ** (bits - 1))
            assert integers.numpy().max() == 2 ** (bits - 1) - 1
            step = (weights.max(0) - weights.min(0)) / (2**bits - 1)
            values = integers * grid.scale + grid.offset
            assert (np.abs(values - weights) <= 0.501 * step).all()
        advance(quantized, rows)


def test_the_range_is_searched_anew_at_each_stage(model, rows):
    quantized = quantize_model(model, QuantizationConfig("w2a8-clip", stages={0: 4, 1: 2}))
    for bits in (4, 2):
        advance(quantized, rows)
        fixed = quantize_model(model, QuantizationConfig(f"w{bits}a8-clip"))
        for name, layer in quantized_layers(quantized).items():
            expected = quantized_layers(fixed)[name].variables["share"]
            np.testing.assert_array_equal(layer.variables["share"], expected)


def test_no_layer_is_narrower_than_its_own_precision(model, rows):
    overrides = {"first": "w8a8", "second": "w4a8"}
    config = QuantizationConfig("w2a8", overrides=overrides, stages={0: 8, 1: 4, 2: 2})
    quantized = quantize_model(model, config)
    assert steps_to_complete(quantized) == 2
    for widths in ([8, 8, 8], [8, 4, 4], [8, 4, 2]):
        found = [
            np.abs(layer.integers()[0]).max() for layer in quantized_layers(quantized).values()
        ]
        assert found == [2 ** (bits - 1) - 1 for bits in widths]
        advance(quantized, rows)
    assert steps_to_complete(quantized) == 0


def test_layers_begin_one_after_the_other(model, rows):
    quantized = quantize_model(model, QuantizationConfig("w4a8", start_step=1, layer_interval=2))
    assert steps_to_complete(quantized) == 5
    for step in range(7):
        begun = sum(step >= start for start in (1, 3, 5))
        overrides = {name: "float" for name in NAMES[begun:]}
        fixed = quantize_model(model, QuantizationConfig("w4a8", overrides=overrides))
        np.testing.assert_allclose(quantized(rows), fixed(rows), atol=1e-6)
        assert steps_to_complete(quantized) == max(5 - step, 0)
        advance(quantized, rows)


def test_layers_and_stages_together(model, rows):
    config = QuantizationConfig("w2", layer_interval=1, stages={0: 8, 2: 2})
    quantized = quantize_model(model, config)
    expected = [["w8", "float", "float"], ["w8", "w8", "float"], ["w2"] * 3, ["w2"] * 3]
    for names in expected:
        overrides = dict(zip(NAMES, names, strict=True))
        fixed = quantize_model(model, QuantizationConfig("w2", overrides=overrides))
        np.testing.assert_allclose(quantized(rows), fixed(rows), atol=1e-6)
        advance(quantized, rows)


def test_read_back_from_json():
    config = from_dict(QuantizationConfig, {"precision": "two_bit", "stages": STAGES}, "x")
    assert config == QuantizationConfig("two_bit", stages=STAGES)
    written = json.loads(json.dumps(dataclasses.asdict(config)))
    assert from_dict(QuantizationConfig, written, "x") == config


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"layer_interval": -1}, "layer_interval: -1 is less than 0"),
        ({"stages": {0: 4, 100: 8}}, "stages: the widths have to fall"),
        ({"stages": {0: 8, 100: 8}}, "stages: the widths have to fall"),
        ({"stages": {0: 5, 100: 4}}, "stages: 5 bits: expected one of 2, 3, 4, 8"),
        ({"stages": {0: 32, 100: 4}}, "stages: 32 bits: expected one of"),
        ({"stages": {10: 8, 100: 4}}, "stages: the first one begins at step 10, not at start_step"),
        ({"stages": {0: 8, 100: 2}}, "stages: the last one has 2 bits, the narrowest layer 4"),
        ({"stages": {0: 8}}, "stages: the last one has 8 bits, the narrowest layer 4"),
        ({"stages": {0: 8, 9: 4}, "precision": "two_bit"}, "has 4 bits, the narrowest layer 2"),
        ({"stages": {0: 8, 9: 4}, "precision": "w4-learned"}, "stages: a learned scale"),
        ({"stages": {"soon": 4}}, "stages: key 'soon': expected a whole number"),
        ({"stages": {0.5: 4}}, "stages: key '0.5': expected a whole number"),
        ({"stages": {0: "w4"}}, "stages: 0: expected a whole number, found 'w4'"),
    ],
)  # fmt: skip
def test_bad_values(values, complaint):
    with pytest.raises(UserError, match=complaint):
        from_dict(QuantizationConfig, values, "quantization")


def test_a_last_stage_after_the_last_step(prepared_folder, tmp_path):
    staged = QuantizationConfig("w2a8", stages=STAGES)
    with pytest.raises(UserError, match=r"quantization.stages: not before the last of 4 steps"):
        configuration(prepared_folder, tmp_path, quantization=staged, steps=4)
    slow = QuantizationConfig("w2a8", start_step=1, layer_interval=1)
    config = configuration(prepared_folder, tmp_path, quantization=slow, steps=5)
    assert "layer_interval: the last layer begins at step 14, not before the last of 5" in refusal(
        config
    )


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"stages": {0: 8, 2: 4, 5: 2}},
        long_case({"overrides": {"block": "w8"}, "layer_interval": 1}),
    ],
)
def test_a_model_is_kept_at_its_last_stage(prepared_folder, tmp_path, monkeypatch, changes):
    wers = iter([0.1, 0.2, 0.3, 0.4])  # the best ones are those of wider models
    monkeypatch.setattr(Evaluator, "wer", lambda self: next(wers))
    config = configuration(
        prepared_folder,
        tmp_path / "gradual",
        quantization=QuantizationConfig("w2a8", **changes),
        evaluate_every=4,
        steps=16,
    )
    kept = train(config, quiet=True)
    layers = quantized_layers(kept.model)
    expected = 8 if "stages" in changes else 16  # the last of 14 layers begins at step 13
    assert {int(layer.variables["step"]) for layer in layers.values() if layer.variables} == {
        expected
    }
    assert steps_to_complete(Recogniser.load(config.output).model) == 0
    assert np.abs(layers["ctc_output"].integers()[0]).max() == 1
    assert [line["step"] for line in history(config.output)] == [4, 8, 12, 16]
