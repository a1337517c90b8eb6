"""What fewer bits do to each layer, in a picture, and to each part of a model, in a table."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from asr_qat.models.layer_names import block_layer
from experiments.reports.figures import INK, write_png
from experiments.reports.page_parts import markdown
from experiments.sensitivity.layer_sensitivity import LayerSensitivity, Sensitivity, Source

TITLE = "Sensitivity of each layer"
FIGURES = {
    "divergence": "divergence from float\n(nats per utterance)",
    "loss": "rise of the loss\n(nats per utterance)",
}
COLUMN_INCHES, ROW_INCHES = 0.56, 0.24
DECADES = 3  # of the colours, below the largest value
OUTSIDE = "rest"  # column of layers that are in no block
COLOURS = "cividis_r"
DARK = 0.55  # share of the colours from which letters are white
PASSES = ("first pass", "second pass")
CASCADED = "+"  # before the number of a block of the cascade


def sensitivity_figure(sensitivity: Sensitivity) -> Figure:
    """A map for each precision and figure: kinds of layers by the block that they are in.

    Args:
        sensitivity: of every layer. What is zero or less has the lightest colour.
    """
    rows = sensitivity.rows
    precisions = list(dict.fromkeys(row.precision for row in rows))
    kinds, blocks = _places([row.layer for row in rows])
    width = max(COLUMN_INCHES * len(blocks), 1.4)
    figure = Figure(
        (
            width * len(precisions) + 2.8,
            len(FIGURES) * (ROW_INCHES * len(kinds) + 0.4) + 0.5,
        ),
        layout="constrained",
    )
    panels = figure.subplots(len(FIGURES), len(precisions), sharex=True, sharey=True, squeeze=False)
    for line, (key, label) in zip(panels, FIGURES.items(), strict=True):
        maps = [
            _map([row for row in rows if row.precision == name], key, kinds, blocks)
            for name in precisions
        ]
        scale = _scale(maps)
        for axes, values in zip(line, maps, strict=True):
            _draw(axes, values, scale)
        bar = figure.colorbar(ScalarMappable(scale, COLOURS), ax=line, label=label, pad=0.01)
        bar.ax.tick_params(colors=INK)
        bar.ax.yaxis.label.set_color(INK)
        bar.outline.set_visible(False)
    for axes, name in zip(panels[0], precisions, strict=True):
        axes.set_title(name, fontsize="medium", color=INK)
    panels[0, 0].set_xticks(range(len(blocks)), blocks)
    panels[0, 0].set_yticks(range(len(kinds)), kinds)
    label = "block" + f" ({CASCADED}: of the cascade)" * any(map(_is_cascaded, blocks))
    figure.supxlabel(label, color=INK, fontsize="medium")
    return figure


def write_sensitivity_plot(path: str | Path, sensitivity: Sensitivity) -> None:
    """Write `sensitivity_figure` as a PNG file."""
    write_png(sensitivity_figure(sensitivity), path)


def parts_table(sensitivity: Sensitivity, source: Source) -> str:
    """What fewer bits do to each part at each precision, in Markdown."""
    parts = sensitivity.parts
    live = any(row.by_pass for row in parts)
    header = ["Part", "Precision", "kB", "Nats per utterance", *(PASSES if live else ())]
    rows = [
        [
            *(row.layer, row.precision, f"{row.bytes / 1000:.0f}"),
            *(f"{value:.4f}" for value in (row.divergence, *row.by_pass)),
        ]
        for row in parts
    ]
    notes = [
        f"`{source.model}` on {sensitivity.utterances} utterances of {source.corpus} "
        f"({source.split}): the weights of all layers of a part are rounded, the others stay "
        "float. The nats are the divergence from the float model "
        "(`experiments/sensitivity/measure_sensitivity.py`)."
    ]
    if live:
        notes.append(
            "The encoder is the causal one: the second pass reads its output. The cascade changes "
            "the second pass alone; the first column of nats weighs both passes as training does."
        )
    return "\n\n".join([markdown(header, rows), " ".join(notes)]) + "\n"


def _places(layers: list[str]) -> tuple[list[str], list[str]]:
    """Kinds of layers, those in blocks first, and names of the columns."""
    places = [_place(name) for name in layers]
    inside = [kind for kind, block in places if block != OUTSIDE]
    rest = [kind for kind, block in places if block == OUTSIDE]
    columns = sorted({block for _, block in places} - {OUTSIDE}, key=_order)
    return list(dict.fromkeys([*inside, *rest])), columns + [OUTSIDE] * bool(rest)


def _place(layer: str) -> tuple[str, str]:
    found = block_layer(layer)
    if found is None:
        return layer, OUTSIDE
    return found.place, CASCADED * (found.stack == "cascade") + str(found.index)


def _order(column: str) -> tuple[bool, int]:
    return _is_cascaded(column), int(column)


def _is_cascaded(column: str) -> bool:
    return column.startswith(CASCADED)


def _map(
    rows: Sequence[LayerSensitivity], key: str, kinds: list[str], blocks: list[str]
) -> np.ndarray:
    """Values `[kinds, blocks]`, NaN where there is no such layer."""
    values = np.full([len(kinds), len(blocks)], np.nan)
    for row in rows:
        kind, block = _place(row.layer)
        values[kinds.index(kind), blocks.index(block)] = getattr(row, key)
    return values


def _scale(maps: list[np.ndarray]) -> LogNorm:
    largest = max(float(np.nanmax(values)) for values in maps)
    largest = largest if largest > 0 else 1.0  # nothing is worse than in float
    return LogNorm(largest / 10**DECADES, largest, clip=True)


def _draw(axes: Axes, values: np.ndarray, scale: LogNorm) -> None:
    shown = np.maximum(values, scale.vmin or 0.0)  # NaN stays
    axes.imshow(shown, cmap=COLOURS, norm=scale, aspect="auto")
    for row, column in zip(*np.nonzero(~np.isnan(values)), strict=True):
        axes.text(
            column,
            row,
            _short(values[row, column]),
            horizontalalignment="center",
            verticalalignment="center",
            fontsize=6.5,
            color="white" if scale(shown[row, column]) > DARK else "black",
        )
    axes.tick_params(colors=INK, length=0)
    axes.spines[:].set_visible(False)


def _short(value: float) -> str:
    """Two digits: `12`, `1.3`, `.12`, `-.003`, or `2e-5` below a thousandth."""
    size = abs(value)
    if size >= 9.95:
        return f"{value:.0f}"
    if size >= 0.995:
        return f"{value:.1f}"
    if size >= 0.00095:
        return f"{value:.{2 if size >= 0.0995 else 3}f}".replace("0.", ".", 1)
    return f"{value:.0e}".replace("e-0", "e-") if value else "0"
