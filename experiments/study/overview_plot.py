"""The picture that a study's page opens with: word errors against size, and what they show."""

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from experiments.reports.figures import COLOURS, INK, ink
from experiments.reports.page_parts import BYTES_PER_MB
from experiments.reports.wer_size_plot import apart
from experiments.study.cell_rows import FLOAT, METHODS
from experiments.study.saved_study import Saved
from experiments.study.size_plot import MARKERS, POINT_TICKS
from experiments.study.study_rows import VariantRow
from tflite_export.score.equivalence import MARGIN

TITLE = "Word errors against size"
FIGURE_INCHES = (5.6, 4.0)
LINEAR_POINTS = 3.0  # differences below are drawn to scale, above logarithmically
GAP, MOST_MOVED = 0.011, 0.05  # between two files, and from a file's size, in powers of ten
SIZE_TICKS = (0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 200)


def overview_figure(study: Saved) -> Figure:
    """Difference to float32 of every file with the interval of its verdict."""
    figure = Figure(FIGURE_INCHES, layout="constrained")
    axes = figure.add_subplot()
    axes.axhspan(-100 * MARGIN, 100 * MARGIN, color=INK, alpha=0.08, linewidth=0)
    axes.axhline(0, color=INK, linewidth=0.8, alpha=0.5)
    for row, size in places(study):
        judgement, colour = study.judge(row), COLOURS[row.method]
        assert judgement is not None and row.wer_diff is not None
        low, high = judgement.interval
        axes.plot([size, size], [100 * low, 100 * high], color=colour, linewidth=1.2, alpha=0.6)
        axes.plot(
            [size],
            [100 * row.wer_diff],
            MARKERS[row.method],
            color=colour,
            markerfacecolor=colour if judgement.verdict == "lossless" else "none",
        )
    floats = [row.bytes for row in study.variants if row.method == FLOAT and row.bytes]
    for size in dict.fromkeys(floats):
        axes.plot([size / BYTES_PER_MB], [0], MARKERS[FLOAT], color=COLOURS[FLOAT])
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=LINEAR_POINTS, linscale=1.5)
    axes.margins(x=0.06, y=0.06)
    _round_ticks(axes)
    axes.set_xlabel("file size (MB, logarithmic)", color=INK)
    axes.set_ylabel("WER beyond float32 (points)", color=INK)
    ink(axes)
    _legend(axes, study)
    return figure


def places(study: Saved) -> list[tuple[VariantRow, float]]:
    """Files that are compared, and where: at their MB, or beside others of that size."""
    rows = sorted((row for row in study.compared if row.has_file), key=lambda row: row.bytes or 0)
    sizes = [math.log10((row.bytes or 0) / BYTES_PER_MB) for row in rows]
    spaced = [
        min(max(place, size - MOST_MOVED), size + MOST_MOVED)
        for place, size in zip(apart(sizes, GAP), sizes, strict=True)
    ]
    return [(row, 10**place) for row, place in zip(rows, spaced, strict=True)]


def _round_ticks(axes: Axes) -> None:
    for axis, ticks, limits in (
        (axes.xaxis, SIZE_TICKS, axes.get_xlim()),
        (axes.yaxis, POINT_TICKS, axes.get_ylim()),
    ):
        low, high = limits
        axis.set_major_locator(FixedLocator([tick for tick in ticks if low <= tick <= high]))
        axis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:g}"))
        axis.set_minor_locator(NullLocator())


def _legend(axes: Axes, study: Saved) -> None:
    used = {row.method for row in study.variants if row.has_file}
    handles = [
        Line2D([], [], color=COLOURS[name], marker=MARKERS[name], linestyle="none", label=label)
        for name, label in METHODS.items()
        if name in used
    ]
    axes.legend(handles=handles, frameon=False, fontsize="small", labelcolor=INK)
