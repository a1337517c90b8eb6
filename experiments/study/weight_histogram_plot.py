"""Weights before and after quantized training, in steps of the quantizer."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.reports.figures import COLOURS, INK, ink
from experiments.study.saved_study import IntegerCounts, LayerHistogram

TITLE = "Weights before and after training"
COLUMNS = 3
PANEL_INCHES = (3.4, 2.2)
BEFORE, AFTER = COLOURS["float"], COLOURS["native-qat"]


def histogram_figure(layers: Mapping[str, LayerHistogram]) -> Figure:
    """A panel for each layer: its integers as bars, its float weights as lines.

    Args:
        layers: by name.
    """
    rows = -(-len(layers) // COLUMNS)
    columns = min(COLUMNS, len(layers))
    width, height = PANEL_INCHES
    figure = Figure((max(width * columns, 6), height * rows + 0.5), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (name, layer) in zip(panels, layers.items(), strict=False):
        integers = layer.after.integers
        shares = np.array(integers.counts) / sum(integers.counts)
        axes.bar(
            integers.values,
            100 * shares,
            0.82,
            color=AFTER,
            alpha=0.35,
            label="integers after training",
        )
        edges = np.array(layer.edges)
        for side, colour, label in (
            (layer.before, BEFORE, "float model"),
            (layer.after, AFTER, "after training, not rounded"),
        ):
            found = np.array(side.weights)
            density = 100 * found / found.sum() / (edges[1] - edges[0])
            axes.stairs(density, edges, color=colour, label=label)
        used = " → ".join(f"{_entropy(side.integers):.2f}" for side in (layer.before, layer.after))
        axes.set_title(f"{name}\n{used} of {layer.bits} bits", fontsize="small", color=INK)
        axes.set_xlim(edges[0], edges[-1])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        ink(axes, "y")
    for axes in panels[len(layers) :]:
        axes.set_visible(False)
    figure.supxlabel("weight in steps of the quantizer", fontsize="medium", color=INK)
    figure.supylabel("% of the weights for each step", fontsize="medium", color=INK)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper center", ncols=3, frameon=False, labelcolor=INK
    )
    return figure


def _entropy(integers: IntegerCounts) -> float:
    """Bits that the integers need on average."""
    shares = np.array(integers.counts) / sum(integers.counts)
    return float(-(shares * np.log2(shares)).sum())
