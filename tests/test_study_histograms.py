"""Weights before and after training, on the quantizer's grid."""

import json
import shutil

import numpy as np
import pytest

from asr_qat import files
from asr_qat.quantize.apply import QuantizationConfig, quantized_layers
from experiments.study.config import Group, StudyConfig
from experiments.study.planned_cells import expand
from experiments.study.saved_study import read_histograms
from experiments.study.weight_histogram_plot import histogram_figure
from experiments.study.weight_histograms import MOST_LAYERS, weight_histograms, write_histograms
from tests.export_fixtures import quantized

pytest_plugins = ["tests.export_fixtures"]


def trained(recogniser, precision):
    """A quantized copy whose weights have moved."""
    copy = quantized(recogniser, QuantizationConfig(precision))
    rng = np.random.default_rng(3)
    for layer in quantized_layers(copy.model).values():
        noise = rng.normal(0, 0.02, layer.kernel.shape).astype(np.float32)
        layer.kernel.assign(1.1 * layer.kernel + noise)
    return copy


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("w3", "w4-b32", "w2a8-clip")]


@pytest.mark.parametrize("precision", ["w2a8-asym", *SLOW])
def test_the_counts_are_those_of_the_integers(float_recogniser, precision):
    after = trained(float_recogniser, precision)
    found = weight_histograms(float_recogniser, after)
    assert 1 <= len(found) <= MOST_LAYERS
    for name, histogram in found.items():
        layer = quantized_layers(after.model)[name]
        size = int(np.prod(layer.kernel.shape))
        integers = np.round(layer.integers()[0])
        edges = np.array(histogram.edges)
        for integer in range(-(2 ** (histogram.bits - 1)), 2 ** (histogram.bits - 1)):
            assert np.abs((edges[1:] + edges[:-1]) / 2 - integer).min() < 1e-9
        for side in (histogram.before, histogram.after):
            assert sum(side.weights) == size
            assert len(side.weights) == len(edges) - 1
            assert sum(side.integers.counts) == size
        after_counts = histogram.after.integers
        counts = dict(zip(after_counts.values, after_counts.counts, strict=True))
        low, high = min(counts), max(counts)
        assert -(2 ** (histogram.bits - 1)) <= low <= high < 2 ** (histogram.bits - 1)
        added = integers.size - size  # zeros behind the last block
        for value, number in counts.items():
            assert number == (integers == value).sum() - (added if value == 0 else 0)


def test_before_is_the_float_model_on_a_grid_by_hand(float_recogniser):
    found = weight_histograms(float_recogniser, trained(float_recogniser, "w4a8"))
    for name, histogram in found.items():
        kernel = float_recogniser.model.get_layer(name).kernel.numpy()
        steps = 7 * kernel / np.abs(kernel).max(axis=0)
        values, counts = np.unique(np.round(steps), return_counts=True)
        integers = histogram.before.integers
        assert (integers.values, integers.counts) == (tuple(values), tuple(counts))
        expected, _ = np.histogram(steps, histogram.edges)
        assert np.abs(expected - histogram.before.weights).sum() <= 2  # on an edge of a bin


def test_layers_of_more_bits_are_left_out(float_recogniser):
    assert weight_histograms(float_recogniser, trained(float_recogniser, "w8a8")) == {}


def test_a_study_counts_the_models_that_are_there(float_recogniser, model_directory, tmp_path):
    config = StudyConfig(
        data=str(tmp_path),
        output=str(tmp_path / "results"),
        work=str(tmp_path / "work"),
        start=str(model_directory),
        seeds=(3, 4),
        training={"steps": 10},
        groups={
            "widths": Group((8, 2), ("int8 dynamic", "float"), methods=("ptq", "fake", "native")),
            "other": Group(precisions=("w2a8-asym",)),
        },
    )
    write_histograms(config)
    path = tmp_path / "results" / "histograms.json"
    assert not path.exists()
    model = trained(float_recogniser, "w2a8")
    for cell in expand(config):
        if cell.name.startswith(("w2a8_", "w2a8-asym_")) and cell.method != "ptq":
            model.save(cell.model)
    write_histograms(config)
    (name,) = content = files.read_json(path)
    assert name == "w2a8_native_s10_seed3"
    layers = read_histograms(path)[name]
    assert layers == weight_histograms(float_recogniser, model)
    panels = [axes for axes in histogram_figure(layers).axes if axes.get_visible()]
    for axes, layer in zip(panels, content[name], strict=True):
        assert axes.get_title().startswith(f"{layer}\n")
        assert axes.get_title().endswith(" of 2 bits")
    shutil.rmtree(config.work)
    path.write_text(json.dumps({"before": content[name]}))
    write_histograms(config)
    assert list(files.read_json(path)) == ["before"]
