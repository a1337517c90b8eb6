"""Weights of some layers before and after quantized training, on the quantizer's grid."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from asr_qat import files
from asr_qat.models.model_directory import WEIGHTS, Recogniser
from asr_qat.quantize.apply import QuantizedLayer, quantize_model, quantized_layers
from asr_qat.quantize.grids import blocks_of
from experiments.study.cells import Cell, expand
from experiments.study.config import StudyConfig
from experiments.study.saved_study import HISTOGRAMS, in_grid
from experiments.study.scheme_name import describe

MOST_LAYERS = 6
MOST_BITS = 4
BINS_OF_GRID = 64  # about
_BLOCK = re.compile(r"^block_(\d+)_")


def weight_histograms(floating: Recogniser, quantized: Recogniser) -> dict[str, dict[str, Any]]:
    """Where the weights of the largest layers of the middle block lie on their grids.

    Args:
        floating: the float model that the training started from, or its float baseline.
        quantized: trained quantized.

    Returns:
        For each layer with weights of `MOST_BITS` at most `bits`, `edges` of the bins in steps of
        the quantizer, and `before` and `after`, each with `weights`, the number of float weights
        in each bin (those beyond the grid in the outermost), and `integers` with `values` and
        `counts`. Before is the float model quantized after training. Without layers of so few
        bits it is empty.
    """
    assert quantized.config.quantization is not None
    start = quantize_model(floating.model, quantized.config.quantization)
    before, after = quantized_layers(start), quantized_layers(quantized.model)
    found = {}
    for name in _chosen(after):
        bits = after[name].precision.weight_bits
        edges = _edges(bits)
        found[name] = {
            "bits": bits,
            "edges": edges.tolist(),
            "before": _counts(before[name], edges),
            "after": _counts(after[name], edges),
        }
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


def _counts(layer: QuantizedLayer, edges: np.ndarray) -> dict[str, Any]:
    integers, grid = layer.integers()
    kernel = blocks_of(layer.kernel, layer.precision.block)
    shifted = kernel if grid.offset is None else kernel - grid.offset
    steps = (shifted / grid.scale).numpy()
    values, counts = np.unique(np.round(integers.numpy()).astype(int), return_counts=True)
    inside = np.clip(steps, edges[0], edges[-1])
    return {
        "weights": np.histogram(inside, edges)[0].tolist(),
        "integers": {"values": values.tolist(), "counts": counts.tolist()},
    }


def write_histograms(config: StudyConfig) -> None:
    """Count the weights of some cells of a study, where their models are there.

    What was counted before and has no model any more stays.

    Args:
        config: of the study.
    """
    path = Path(config.output) / HISTOGRAMS
    found = files.read_json(path) if path.is_file() else {}
    for cell in shown_cells(config):
        if (cell.model / WEIGHTS).is_file():
            start = cell.training.start or cell.model.with_name(str(cell.baseline))
            found[cell.name] = weight_histograms(
                Recogniser.load(start), Recogniser.load(cell.model)
            )
    if found:
        files.write_json(path, found)


def shown_cells(config: StudyConfig) -> list[Cell]:
    """Those of the report's grid that were trained natively, with int8 activations and few bits.

    Of each variant it is the one of the first seed.
    """
    first: dict[str, Cell] = {}
    for cell in expand(config):
        what = describe(cell.quantization)
        few = what["weights"] is not None and what["weights"] <= MOST_BITS
        trained = cell.method == "native" and cell.source is None
        gridded = in_grid({**what, "name": cell.variant})
        if trained and few and gridded and what["activations"] == "int8 dynamic":
            first.setdefault(cell.variant, cell)
    return list(first.values())
