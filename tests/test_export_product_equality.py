"""Every product of a file computes what the Keras layer computes, on the same input."""

import numpy as np
import pytest

from asr_qat.quantize.apply import quantized_layers
from asr_qat.quantize.dense import Dense
from asr_qat.training.quantized import post_training
from tests.export_fixtures import noise
from tflite_export.convert.labels import merged_factors
from tflite_export.score.product_equality import product_errors
from tflite_export.score.product_probes import ProductProbes

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


def test_a_tie_may_go_to_either_side(exported, float_recogniser, tmp_path):
    """As on processors that round half away from zero."""
    model = post_training(float_recogniser, "w4a8").model
    given = quantized_layers(model), merged_factors(model), tmp_path / "probed.tflite"
    probes = ProductProbes(exported("w4a8"), *given)
    probe, watched = next(iter(probes._found.items()))
    x = np.zeros((1, watched.in_file._integers.shape[1]), np.float32)
    x[0, :3] = 255, 0.5, 2.5  # of a scale of one
    for first, ties in ((255, 1), (254, 1)):  # the second is on no edge
        integers = np.floor(x + 0.5)
        integers[0, 0] = first
        got = watched.in_file._finish(integers, np.ones((1, 1), np.float32))
        probes.check({f"{probe}/input": x, f"{probe}/output": got})
        (row,) = (row for row in probes.summary() if row.layer == watched.layer)
        assert row.ties == ties
        assert (row.max_error < 1e-5) == (first == 255)
