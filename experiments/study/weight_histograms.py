"""Weights of some layers before and after quantized training, on the quantizer's grid."""

import dataclasses
import re
from pathlib import Path

import numpy as np

from asr_qat import files
from asr_qat.models.model_directory import WEIGHTS, Recogniser
from asr_qat.quantize.apply import QuantizedLayer, quantize_model, quantized_layers
from asr_qat.quantize.grids import blocks_of
from experiments.study.config import StudyConfig
from experiments.study.planned_cells import PlannedCell, expand
from experiments.study.saved_study import (
    HISTOGRAMS,
    IntegerCounts,
    LayerHistogram,
    WeightCounts,
    in_grid,
    read_histograms,
)
from experiments.study.scheme import describe

MOST_LAYERS = 6
MOST_BITS = 4
BINS_OF_GRID = 64  # about
_BLOCK = re.compile(r"^block_(\d+)_")


def weight_histograms(floating: Recogniser, quantized: Recogniser) -> dict[str, LayerHistogram]:
    """Where the weights of the largest layers of the middle block lie on their grids.

    Args:
        floating: the float model that the training started from, or its float baseline.
        quantized: trained quantized.

    Returns:
        By name the layers with weights of `MOST_BITS` at most; there may be none.
    """
    assert quantized.config.quantization is not None
    start = quantize_model(floating.model, quantized.config.quantization)
    before, after = quantized_layers(start), quantized_layers(quantized.model)
    found = {}
    for name in _chosen(after):
        bits = after[name].precision.weight_bits
        edges = _edges(bits)
        found[name] = LayerHistogram(
            bits, tuple(edges.tolist()), _counts(before[name], edges), _counts(after[name], edges)
        )
    return found


def _edges(bits: int) -> np.ndarray:
    """Of bins in steps of the quantizer; every integer is in the middle of one."""
    each = BINS_OF_GRID // 2**bits + 1  # odd
    return np.arange((2**bits + 1) * each + 1) / each - 2 ** (bits - 1) - 0.5


def _chosen(layers: dict[str, QuantizedLayer]) -> list[str]:
    """In the model's order; without blocks, of all layers."""
    few = {
        name: layer for name, layer in layers.items() if layer.precision.weight_bits <= MOST_BITS
    }
    blocks = sorted({block[1] for name in few if (block := _BLOCK.match(name))})
    prefix = f"block_{blocks[len(blocks) // 2]}_" if blocks else ""
    inside = [name for name in few if name.startswith(prefix)]
    largest = sorted(inside, key=lambda name: -int(np.prod(few[name].kernel.shape)))[:MOST_LAYERS]
    return [name for name in inside if name in largest]


def _counts(layer: QuantizedLayer, edges: np.ndarray) -> WeightCounts:
    integers, grid = layer.integers()
    kernel = blocks_of(layer.kernel, layer.precision.block)
    shifted = kernel if grid.offset is None else kernel - grid.offset
    steps = (shifted / grid.scale).numpy()
    values, counts = np.unique(np.round(integers.numpy()).astype(int), return_counts=True)
    inside = np.clip(steps, edges[0], edges[-1])
    return WeightCounts(
        tuple(np.histogram(inside, edges)[0].tolist()),
        IntegerCounts(tuple(values.tolist()), tuple(counts.tolist())),
    )


def write_histograms(config: StudyConfig) -> None:
    """Count the weights of some cells of a study, where their models are there.

    What was counted before and has no model any more stays.

    Args:
        config: of the study.
    """
    path = Path(config.output) / HISTOGRAMS
    found = read_histograms(path) if path.is_file() else {}
    for cell in shown_cells(config):
        if (cell.model / WEIGHTS).is_file():
            start = cell.training.start or cell.model.with_name(str(cell.baseline))
            found[cell.name] = weight_histograms(
                Recogniser.load(start), Recogniser.load(cell.model)
            )
    if found:
        content = {
            cell: {layer: dataclasses.asdict(one) for layer, one in layers.items()}
            for cell, layers in found.items()
        }
        files.write_json(path, content)


def shown_cells(config: StudyConfig) -> list[PlannedCell]:
    """Those of the report's grid that were trained natively, with int8 activations and few bits.

    Of each variant it is the one of the first seed.
    """
    first: dict[str, PlannedCell] = {}
    for cell in expand(config):
        scheme = describe(cell.quantization)
        few = scheme.weights is not None and scheme.weights <= MOST_BITS
        trained = cell.method == "native" and cell.source is None
        dynamic = scheme.activations == "int8 dynamic"
        if trained and few and dynamic and in_grid(scheme, cell.variant):
            first.setdefault(cell.variant, cell)
    return list(first.values())
