"""The picture that a study's page opens with: word errors against size, and what they show."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from experiments.reports.figures import COLOURS, INK, ink
from experiments.reports.page_parts import BYTES_PER_MB
from experiments.study.saved_study import Saved
from experiments.study.size_plot import MARKERS, POINT_TICKS
from experiments.study.study_rows import FLOAT, METHODS
from tflite_export.score.equivalence import MARGIN

TITLE = "Word errors against size"
FIGURE_INCHES = (5.6, 4.0)
LINEAR_POINTS = 3.0  # differences below are drawn to scale, above logarithmically
SIZE_TICKS = (0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 200)


def overview_figure(study: Saved) -> Figure:
    """Difference to float32 of every file with the interval of its verdict."""
    figure = Figure(FIGURE_INCHES, layout="constrained")
    axes = figure.add_subplot()
    axes.axhspan(-100 * MARGIN, 100 * MARGIN, color=INK, alpha=0.08, linewidth=0)
    axes.axhline(0, color=INK, linewidth=0.8, alpha=0.5)
    for row in study.compared:
        judgement = study.judge(row)
        if not row.has_file or row.bytes is None or row.wer_diff is None or judgement is None:
            continue
        size, colour = row.bytes / BYTES_PER_MB, COLOURS[row.method]
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
