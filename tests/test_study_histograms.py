"""Weights before and after training, on the quantizer's grid."""

import numpy as np
import pytest

from asr_qat.quantize.apply import QuantizationConfig, quantized_layers
from tests.export_fixtures import quantized
from tflite_export.study.histogram_plot import histogram_figure
from tflite_export.study.histograms import MOST_LAYERS, weight_histograms

pytest_plugins = ["tests.export_fixtures"]


def trained(recogniser, precision):
    """A quantized copy whose weights have moved."""
    copy = quantized(recogniser, QuantizationConfig(precision))
    rng = np.random.default_rng(3)
    for layer in quantized_layers(copy.model).values():
        noise = rng.normal(0, 0.02, layer.kernel.shape).astype(np.float32)
        layer.kernel.assign(1.1 * layer.kernel + noise)
    return copy


@pytest.mark.parametrize("precision", ["w4a8", "w2a8-asym", "w3", "w4-b32", "w2a8-clip"])
def test_the_counts_are_those_of_the_integers(float_recogniser, precision):
    after = trained(float_recogniser, precision)
    found = weight_histograms(float_recogniser, after)
    assert 1 <= len(found) <= MOST_LAYERS
    for name, histogram in found.items():
        layer = quantized_layers(after.model)[name]
        size = int(np.prod(layer.kernel.shape))
        integers = np.round(layer.integers()[0])
        edges = np.array(histogram["edges"])
        for integer in range(-(2 ** (histogram["bits"] - 1)), 2 ** (histogram["bits"] - 1)):
            assert np.abs((edges[1:] + edges[:-1]) / 2 - integer).min() < 1e-9
        for side in ("before", "after"):
            assert sum(histogram[side]["weights"]) == size
            assert len(histogram[side]["weights"]) == len(edges) - 1
            assert sum(histogram[side]["integers"]["counts"]) == size
        counts = dict(zip(*histogram["after"]["integers"].values(), strict=True))
        low, high = min(counts), max(counts)
        assert -(2 ** (histogram["bits"] - 1)) <= low <= high < 2 ** (histogram["bits"] - 1)
        added = integers.size - size  # zeros behind the last block
        for value, number in counts.items():
            assert number == (integers == value).sum() - (added if value == 0 else 0)


def test_before_is_the_float_model_on_a_grid_by_hand(float_recogniser):
    found = weight_histograms(float_recogniser, trained(float_recogniser, "w4a8"))
    for name, histogram in found.items():
        kernel = float_recogniser.model.get_layer(name).kernel.numpy()
        steps = 7 * kernel / np.abs(kernel).max(axis=0)
        values, counts = np.unique(np.round(steps), return_counts=True)
        assert histogram["before"]["integers"] == {
            "values": values.tolist(), "counts": counts.tolist(),
        }  # fmt: skip
        expected, _ = np.histogram(steps, histogram["edges"])
        assert np.abs(expected - histogram["before"]["weights"]).sum() <= 2  # on an edge of a bin


def test_layers_of_more_bits_are_left_out(float_recogniser):
    assert weight_histograms(float_recogniser, trained(float_recogniser, "w8a8")) == {}


def test_a_panel_for_each_layer(float_recogniser):
    found = weight_histograms(float_recogniser, trained(float_recogniser, "w2a8"))
    panels = [axes for axes in histogram_figure(found).axes if axes.get_visible()]
    assert len(panels) == len(found)
    for axes, name in zip(panels, found, strict=True):
        assert axes.get_title().startswith(f"{name}\n")
        assert axes.get_title().endswith(" of 2 bits")
