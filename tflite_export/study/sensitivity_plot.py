"""How much the loss rises when one layer alone is quantized."""

import re
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from tflite_export.figures import INK

TITLE = "Sensitivity of each layer"
COLUMN_INCHES, ROW_INCHES = 0.52, 0.24
DECADES = 4  # of the colour scale, below the largest rise
OUTSIDE = "rest"  # column of layers that are in no block
_BLOCK = re.compile(r"block_(\d+)_(.+)")


def sensitivity_figure(sensitivity: dict[str, Any]) -> Figure:
    """A map for each precision: kinds of layers by the block that they are in.

    Args:
        sensitivity: `layers`, for each layer by name the rise of the loss by precision.
            A rise of zero or less has the lightest colour.
    """
    layers = sensitivity["layers"]
    precisions = list(dict.fromkeys(name for rises in layers.values() for name in rises))
    kinds, blocks = _places(layers)
    maps = [_map(layers, precision, kinds, blocks) for precision in precisions]
    largest = max(np.nanmax(each) for each in maps)
    scale = LogNorm(largest / 10**DECADES, largest, clip=True) if largest > 0 else None
    width = max(COLUMN_INCHES * len(blocks), 1.4)
    figure = Figure(
        (width * len(precisions) + 2.8, ROW_INCHES * len(kinds) + 1.3), layout="constrained"
    )
    panels = figure.subplots(1, len(precisions), sharey=True, squeeze=False)[0]
    for axes, precision, values in zip(panels, precisions, maps, strict=True):
        positive = np.where(values > 0, values, np.where(np.isnan(values), np.nan, 1e-30))
        image = axes.imshow(positive, cmap="cividis_r", norm=scale, aspect="auto")
        for row, column in zip(*np.nonzero(~np.isnan(values)), strict=True):
            shade = image.norm(positive[row, column])
            axes.text(
                column,
                row,
                _short(values[row, column]),
                ha="center",
                va="center",
                fontsize=6.5,
                color="white" if shade > 0.55 else "black",
            )
        axes.set_title(precision, fontsize="medium", color=INK)
        axes.set_xticks(range(len(blocks)), blocks)
        axes.set_yticks(range(len(kinds)), kinds)
        axes.tick_params(colors=INK, length=0)
        axes.spines[:].set_visible(False)
    figure.supxlabel("block", color=INK, fontsize="medium")
    bar = figure.colorbar(image, ax=panels, label="rise of the loss", pad=0.01)
    bar.ax.tick_params(colors=INK)
    bar.ax.yaxis.label.set_color(INK)
    bar.outline.set_visible(False)
    return figure


def _places(layers: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Kinds of layers, those in blocks first, and names of the columns."""
    inside: list[str] = []
    rest: list[str] = []
    blocks: list[str] = []
    for name in layers:
        kind, block = _place(name)
        (rest if block == OUTSIDE else inside).append(kind)
        blocks.append(block)
    columns = sorted(set(blocks) - {OUTSIDE}, key=int)
    return list(dict.fromkeys([*inside, *rest])), columns + [OUTSIDE] * bool(rest)


def _place(layer: str) -> tuple[str, str]:
    found = _BLOCK.search(layer)
    return (found[2], str(int(found[1]))) if found else (layer, OUTSIDE)


def _map(
    layers: dict[str, dict[str, float]], precision: str, kinds: list[str], blocks: list[str]
) -> np.ndarray:
    """Rises `[kinds, blocks]`, NaN where there is no such layer."""
    values = np.full([len(kinds), len(blocks)], np.nan)
    for name, rises in layers.items():
        kind, block = _place(name)
        values[kinds.index(kind), blocks.index(block)] = rises.get(precision, np.nan)
    return values


def _short(value: float) -> str:
    """Two digits: `.012`, `1.3`, `-.001`."""
    if abs(value) >= 0.995:
        return f"{value:.1f}" if abs(value) < 10 else f"{value:.0f}"
    digits = 2 if abs(value) >= 0.0995 else 3
    text = f"{value:.{digits}f}".replace("0.", ".")
    return "0" if float(text) == 0 else text
