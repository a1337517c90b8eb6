"""Word error rate against file size, with 95% intervals."""

import io
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation, Transform

from asr_qat import files

TITLE = "Word error rate against file size"
SVG_METADATA = ("Creator", "Date", "Format", "Type")  # left away
BYTES_PER_MB = 1e6
FIGURE_INCHES = (6.4, 4.2)
CLUSTER_RATIO = 1.15  # files whose sizes are closer than this are drawn side by side
SIDE_STEP_POINTS = 7  # 1/72 inch between the error bars of a cluster
LABEL_POINTS = 14  # from the last error bar of a cluster to the labels
LABEL_GAP = 0.075  # least distance between labels, as a share of the axis
COLOURS = {"float": "#7a7a7a", "ptq": "#d9822b", "fake-qat": "#8e63ce", "native-qat": "#2a7de1"}
INK = "#010203"  # stands for the page's text colour in the SVG


def plot_wer_against_size(results: dict[str, Any], path: str | Path) -> None:
    """Write the plot as PNG, on white.

    Args:
        results: `rows` with `name`, `method`, `bytes`, `wer` and `wer_ci` (shares).
        path: file to write.
    """
    with files.replacing(path) as temporary:
        _figure(results["rows"]).savefig(temporary, format="png", dpi=160, facecolor="white")


def svg_wer_against_size(results: dict[str, Any]) -> str:
    """The plot as an `<svg>` element whose ink is the colour of the text around it."""
    text = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "wer"}):  # the same results give the same bytes
        _figure(results["rows"]).savefig(
            text, format="svg", transparent=True, metadata=dict.fromkeys(SVG_METADATA)
        )
    svg = text.getvalue()
    element = svg[svg.index("<svg") :].replace(INK, "currentColor")
    return element.replace("<svg", f'<svg role="img" aria-label="{TITLE}"', 1)


def _figure(rows: list[dict[str, Any]]) -> Figure:
    figure = Figure(FIGURE_INCHES, layout="constrained")
    axes = figure.add_subplot()
    axes.set_xscale("log")
    sizes = [row["bytes"] / BYTES_PER_MB for row in rows]
    axes.set_xlim(min(sizes) / 1.3, max(sizes) * 2.6)
    top = max(100 * row["wer_ci"][1] for row in rows)
    bottom = min(100 * row["wer_ci"][0] for row in rows)
    margin = 0.08 * (top - bottom) or 1.0
    axes.set_ylim(max(bottom - margin, 0), top + margin)
    for cluster in _clusters(rows):
        _draw(axes, cluster)
    axes.set_xlabel("file size (MB, logarithmic)", color=INK)
    axes.set_ylabel("WER (%), 95% interval", color=INK)
    ticks = sorted({round(size, 1) for size in sizes})
    axes.set_xticks(_apart(ticks), [f"{tick:g}" for tick in _apart(ticks)])
    axes.minorticks_off()
    axes.tick_params(colors=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(INK)
    axes.grid(axis="y", color=INK, alpha=0.12)
    return figure


def _clusters(rows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Rows whose files are about as large, smallest first."""
    clusters: list[list[dict[str, Any]]] = []
    for row in sorted(rows, key=lambda row: row["bytes"]):
        if clusters and row["bytes"] < CLUSTER_RATIO * clusters[-1][0]["bytes"]:
            clusters[-1].append(row)
        else:
            clusters.append([row])
    return clusters


def _apart(ticks: list[float]) -> list[float]:
    """The ticks without those that another one's label would touch."""
    kept: list[float] = []
    for tick in ticks:
        if not kept or tick > CLUSTER_RATIO * kept[-1]:
            kept.append(tick)
    return kept


def _draw(axes, cluster: list[dict[str, Any]]) -> None:
    """Points side by side, and a label for each to the right of them all."""
    heights = _label_heights(axes, [100 * row["wer"] for row in cluster])
    middle = (len(cluster) - 1) / 2
    labels = _shifted(axes, SIDE_STEP_POINTS * middle + LABEL_POINTS)
    for index, (row, height) in enumerate(zip(cluster, heights, strict=True)):
        side = _shifted(axes, SIDE_STEP_POINTS * (index - middle))
        wer, size = 100 * row["wer"], row["bytes"] / BYTES_PER_MB
        colour = COLOURS[row["method"]]
        axes.plot(
            [size, size], [100 * bound for bound in row["wer_ci"]], color=colour, transform=side
        )
        axes.plot([size], [wer], "o", color=colour, transform=side)
        axes.annotate(
            row["name"],
            (size, wer),
            xycoords=side,
            xytext=(size, height),
            textcoords=labels,
            color=colour,
            verticalalignment="center",
            arrowprops={"arrowstyle": "-", "color": colour, "alpha": 0.5, "linewidth": 0.7},
        )


def _shifted(axes, points: float) -> Transform:
    """Data coordinates, moved to the right by `points` (1/72 inch)."""
    return axes.transData + ScaledTranslation(points / 72, 0, axes.figure.dpi_scale_trans)


def _label_heights(axes, heights: list[float]) -> list[float]:
    """Heights at least `LABEL_GAP` of the axis apart, in the order of `heights`."""
    low, high = axes.get_ylim()
    gap = LABEL_GAP * (high - low)
    order = sorted(range(len(heights)), key=heights.__getitem__)
    placed = list(heights)
    for below, above in zip(order, order[1:], strict=False):
        placed[above] = max(placed[above], placed[below] + gap)
    surplus = (sum(placed) - sum(heights)) / len(heights)
    return [height - surplus for height in placed]
