"""Every product of a file computes what the Keras layer computes, on the same input."""

import pytest

from asr_qat.quantize.apply import quantized_layers
from asr_qat.quantize.dense import Dense
from asr_qat.training.quantized import post_training
from tests.export_fixtures import noise
from tflite_export.score.product_equality import product_errors

pytest_plugins = ["tests.export_fixtures"]
pytestmark = pytest.mark.slow

UTTERANCES = [noise(198, 0), noise(61, 1)]
HALVED = ("block_00_ffn1_project", "block_00_ffn2_project")


@pytest.fixture(params=["w4a8", "w8a8", "w2a8", "w4", "w2", "w2a8-asym"])
def precision(request):
    return request.param


def test_every_product_is_equal(exported, float_recogniser, precision):
    quantized = post_training(float_recogniser, precision)
    rows = product_errors(exported(precision), quantized, UTTERANCES)
    layers = [layer.name for layer in float_recogniser.model.layers if isinstance(layer, Dense)]
    assert sorted(row.layer for row in rows) == sorted(layers)
    for row in rows:
        assert row.max_error < 1e-5, row
        # An offset is added between the product and the half step.
        merged = row.layer in HALVED and precision != "w2a8-asym"
        assert row.factor == (0.5 if merged else 1), row
        assert row.rows >= 50 + 25, row  # one utterance in each signature


def test_another_kernel_is_noticed(exported, float_recogniser, precision):
    perturbed = post_training(float_recogniser, precision)
    kernel = quantized_layers(perturbed.model)["block_00_ffn2_expand"].kernel
    kernel.assign(kernel[::-1])  # the same scales
    for row in product_errors(exported(precision), perturbed, UTTERANCES[1:]):
        if row.layer == "block_00_ffn2_expand":
            assert row.max_error > 0.1
        else:
            assert row.max_error < 1e-5, row


def test_one_wrong_integer_is_noticed(exported, float_recogniser):
    perturbed = post_training(float_recogniser, "w4a8")
    kernel = quantized_layers(perturbed.model)["ctc_output"].kernel
    values = kernel.numpy()
    at = abs(values[:, 0]).argmin()
    values[at, 0] += abs(values[:, 0]).max() / 7  # one step of the channel's grid
    kernel.assign(values)
    errors = {
        row.layer: row.max_error
        for row in product_errors(exported("w4a8"), perturbed, UTTERANCES[1:])
    }
    assert errors["ctc_output"] > 1e-3


def test_float_layers_are_not_compared(mixed_file, mixed_recogniser):
    rows = product_errors(mixed_file, mixed_recogniser, [noise(98)])
    assert "ctc_output" not in [row.layer for row in rows]
    assert len(rows) == len(quantized_layers(mixed_recogniser.model))
    assert all(row.max_error < 1e-5 for row in rows)
