"""Word error rate and file size of several models, with 95% intervals."""

import math
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup
from matplotlib.figure import Figure

from experiments.reports.figures import COLOURS, INK, ink, svg_element, write_png
from experiments.reports.page_parts import BYTES_PER_MB
from tflite_export.score.rows import ScoredFile

TITLE = "Word error rate against file size"
FIGURE_INCHES = (5.4, 3.6)
LEAST_GAP = 0.075  # between two models, as a share of the axis of sizes
LABEL_ROOM = 0.7  # to the right of the intervals, as a share of their range


def plot_wer_against_size(
    rows: Sequence[ScoredFile], path: str | Path, notice: str | None = None
) -> None:
    """Write the plot as PNG, on white.

    Args:
        rows: the files.
        path: file to write.
        notice: what a reader must know of the corpus; becomes the title.
    """
    write_png(_figure(rows), path, notice)


def svg_wer_against_size(rows: Sequence[ScoredFile]) -> Markup:
    """The plot as an `<svg>` element whose ink is the colour of the text around it."""
    return svg_element(_figure(rows), TITLE, "wer")


def _figure(rows: Sequence[ScoredFile]) -> Figure:
    """One line for each model, at the height of its size, with its name at the end."""
    rows = sorted(rows, key=lambda row: row.bytes)
    sizes = [math.log10(row.bytes / BYTES_PER_MB) for row in rows]
    gap = LEAST_GAP * max(sizes[-1] - sizes[0], 0.1)
    heights = apart(sizes, gap)
    figure = Figure(FIGURE_INCHES, layout="constrained")
    axes = figure.add_subplot()
    for row, height in zip(rows, heights, strict=True):
        low, high = (100 * bound for bound in row.wer_ci)
        colour = COLOURS[row.method]
        axes.plot([low, high], [height, height], color=colour)
        axes.plot([100 * row.wer], [height], "o", color=colour)
        axes.annotate(
            row.name,
            (high, height),
            xytext=(6, 0),
            textcoords="offset points",
            color=colour,
            verticalalignment="center",
        )
    low = min(100 * row.wer_ci[0] for row in rows)
    high = max(100 * row.wer_ci[1] for row in rows)
    axes.set_xlim(low - 0.05 * (high - low), high + LABEL_ROOM * (high - low))
    axes.set_ylim(heights[0] - 1.5 * gap, heights[-1] + 1.5 * gap)
    below = [-math.inf, *sizes[:-1]]
    ticks = [size for size, last in zip(sizes, below, strict=True) if size - last > gap]
    axes.set_yticks(ticks, [f"{10**tick:.1f}" for tick in ticks])
    axes.set_xlabel("WER (%), 95% interval", color=INK)
    axes.set_ylabel("file size (MB, logarithmic)", color=INK)
    ink(axes, "x")
    return figure


def apart(heights: list[float], gap: float) -> list[float]:
    """The nearest heights, by least squares, that are `gap` apart (isotonic regression).

    Args:
        heights: ascending.
        gap: least distance between neighbours.
    """
    pools: list[tuple[float, int]] = []  # mean and number of heights that move together
    for index, height in enumerate(heights):
        mean, count = height - index * gap, 1
        while pools and pools[-1][0] > mean:
            below, number = pools.pop()
            mean = (below * number + mean * count) / (number + count)
            count += number
        pools.append((mean, count))
    level = [mean for mean, count in pools for _ in range(count)]
    return [mean + index * gap for index, mean in enumerate(level)]
