"""Word error rate against file size: a column for each kind of activations."""

import dataclasses
import functools
import itertools
import math
import string
from collections.abc import Callable, Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from experiments.reports.figures import COLOURS, INK, ink
from experiments.reports.page_parts import BYTES_PER_MB
from experiments.reports.wer_size_plot import apart
from experiments.study.cell_rows import FLOAT, METHODS
from experiments.study.saved_study import Saved, in_grid
from experiments.study.study_rows import VariantRow
from experiments.study.study_tables import activation_kinds

TITLE = "Word error rate against file size"
PANEL_INCHES = (3.8, 3.2)
MOST_INCHES = 14.5  # of all panels side by side
MARKERS = {FLOAT: "s", "ptq": "v", "fake-qat": "D", "native-qat": "o"}
MIXTURE, SCHEME = "*", "P"  # markers of what is not in the grid
MARKER_POINTS = {MIXTURE: 11.0, SCHEME: 7.0}  # all others: 5.5
GAP = 0.032  # between two files of about the same size, as a share of the axis
LINEAR_POINTS = 2.0  # differences below are drawn to scale, above logarithmically
WIDE = 3  # factor between rates, from which on the axis is logarithmic
RATE_TICKS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 75, 100, 150, 200)
POINT_TICKS = (-100, -50, -20, -10, -5, -2, -1, 0, 1, 2, 5, 10, 20, 50, 100)

Bounds = tuple[float, float, float]


@dataclasses.dataclass(frozen=True)
class _Point:
    """A pooled row in a panel.

    Attributes:
        row: what it shows.
        size: where it is drawn, in MB: its size, or beside others of that size.
        letter: stands for the name of what is not in the grid.
    """

    row: VariantRow
    size: float
    letter: str | None

    @property
    def marker(self) -> str:
        if self.letter is None:
            return MARKERS[self.row.method]
        return SCHEME if self.row.weights else MIXTURE


def size_figure(study: Saved) -> Figure:
    """Above the error rates with the range over the seeds, below the differences to float32.

    Rows of the grid are joined by method; others have a letter, which is explained below. What
    runs in training only has no file and is omitted.
    """
    rows = [row for row in study.variants if row.has_file]
    others = [row.name for row in rows if not _plain(row)]
    letters = dict(zip(others, _letters(), strict=False))
    columns = _columns(rows)
    width = min(PANEL_INCHES[0], MOST_INCHES / len(columns))
    figure = Figure(
        (
            max(width * len(columns), 6),
            2 * PANEL_INCHES[1] + 0.7 + 0.18 * math.ceil(len(others) / 3),
        ),
        layout="constrained",
    )
    panels = figure.subplots(2, len(columns), sharex=True, sharey="row", squeeze=False)
    sizes = [_log_size(row) for row in rows]
    gap = GAP * max(max(sizes) - min(sizes), 0.1)
    for column, (title, kinds) in enumerate(columns.items()):
        shown = [r for r in rows if r.activations in kinds or r.method == FLOAT]
        drawn = _points(shown, gap, letters)
        above, below = panels[:, column]
        _draw(above, drawn, functools.partial(_rate, study.splits[0]))
        _draw(below, [p for p in drawn if p.row.wer_diff is not None], _difference)
        above.set_title(f"activations: {title}", fontsize="medium", color=INK)
        below.axhline(0, color=INK, linewidth=0.8, alpha=0.5)
        below.set_xlabel("file size (MB, logarithmic)", color=INK)
    above, below = panels[:, 0]
    above.set_ylabel(f"WER of {study.splits[0]} (%)", color=INK)
    below.set_ylabel("difference to float32\n(points, 95% interval)", color=INK)
    rounded: list[tuple[Axes, Sequence[float]]] = []
    rates = [rate for row in rows for rate in _rate(study.splits[0], row)]
    if max(rates) > WIDE * max(min(rates), 1):
        above.set_yscale("log")
        rounded.append((above, RATE_TICKS))
    known = [row for row in rows if row.wer_diff is not None]
    points = [abs(bound) for row in known for bound in _difference(row)]
    if max(points, default=0) > WIDE * LINEAR_POINTS:
        below.set_yscale("symlog", linthresh=LINEAR_POINTS, linscale=1.0)
        rounded.append((below, POINT_TICKS))
    _sizes(panels, [row for row in rows if in_grid(row, row.name)] or rows, gap)
    for axes, ticks in rounded:
        _round_numbers(axes, ticks)
    _legends(figure, rows, letters)
    return figure


def _log_size(row: VariantRow) -> float:
    assert row.bytes is not None
    return math.log10(row.bytes / BYTES_PER_MB)


def _columns(rows: Sequence[VariantRow]) -> dict[str, list[str]]:
    """Kinds of activations by title: those of the grid alone, all others together."""
    quantized = [row for row in rows if row.method != FLOAT]
    own = activation_kinds([row for row in quantized if in_grid(row, row.name)])
    others = [kind for kind in activation_kinds(quantized) if kind not in own]
    columns = {kind: [kind] for kind in own}
    if others:
        columns[",\n".join(others)] = others
    return columns or {FLOAT: [FLOAT]}


def _plain(row: VariantRow) -> bool:
    return in_grid(row, row.name) or row.method == FLOAT


def _letters() -> Iterator[str]:
    """A, b ... z, aa, ab ..."""
    for length in itertools.count(1):
        for letters in itertools.product(string.ascii_lowercase, repeat=length):
            yield "".join(letters)


def _points(rows: Sequence[VariantRow], gap: float, letters: dict[str, str]) -> list[_Point]:
    """Rows by size, moved apart where they have the same, but never far from it."""
    order = list(METHODS)
    rows = sorted(rows, key=lambda row: (_log_size(row), order.index(row.method)))
    sizes = [_log_size(row) for row in rows]
    return [
        _Point(row, 10 ** min(max(place, size - gap), size + gap), letters.get(row.name))
        for row, size, place in zip(rows, sizes, apart(sizes, gap), strict=True)
    ]


def _draw(axes: Axes, points: Sequence[_Point], value: Callable[[VariantRow], Bounds]) -> None:
    for method, colour in COLOURS.items():
        found = [point for point in points if point.row.method == method]
        joined = [point for point in found if point.letter is None and method != FLOAT]
        middles = [value(point.row)[1] for point in joined]
        axes.plot([point.size for point in joined], middles, color=colour, linewidth=1, alpha=0.6)
        for point in found:
            low, middle, high = value(point.row)
            axes.plot([point.size, point.size], [low, high], color=colour, linewidth=1.5)
            axes.plot(
                [point.size],
                [middle],
                marker=point.marker,
                markersize=MARKER_POINTS.get(point.marker, 5.5),
                color=colour,
            )
    # Neighbours of one size have their letters at the two ends of their bars.
    lettered = [point for point in points if point.letter is not None]
    for point, above in zip(lettered, itertools.cycle((True, False))):
        low, _, high = value(point.row)
        axes.annotate(
            str(point.letter),
            (point.size, high if above else low),
            xytext=(0, 2 if above else -2),
            textcoords="offset points",
            horizontalalignment="center",
            verticalalignment="bottom" if above else "top",
            fontsize="small",
            color=INK,
        )
    axes.set_xscale("log")
    ink(axes)


def _rate(split: str, row: VariantRow) -> Bounds:
    """Least, mean and greatest over the seeds, in percent."""
    low, mean, high = (100 * getattr(row.wer[split], key) for key in ("min", "mean", "max"))
    return low, mean, high


def _difference(row: VariantRow) -> Bounds:
    """In points, between the bounds of its interval."""
    value = row.wer_diff or 0.0
    low, high = row.wer_diff_ci or (value, value)
    return 100 * low, 100 * value, 100 * high


def _sizes(panels, rows: Sequence[VariantRow], gap: float) -> None:
    """Ticks at the sizes of the grid."""
    sizes: list[float] = []
    for size in sorted({_log_size(row) for row in rows}):
        if not sizes or size - sizes[-1] > 4 * gap:
            sizes.append(size)
    for axes in panels.flat:
        axes.margins(x=0.08, y=0.1)
        axes.xaxis.set_major_locator(FixedLocator([10**size for size in sizes]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:.2g}"))
        axes.xaxis.set_minor_locator(NullLocator())


def _round_numbers(axes: Axes, ticks: Sequence[float]) -> None:
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(FixedLocator([tick for tick in ticks if low <= tick <= high]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def _legends(figure: Figure, rows: Sequence[VariantRow], letters: dict[str, str]) -> None:
    """Above what colours and markers mean, below what the letters do."""

    def mark(label: str, colour: str, marker: str) -> Line2D:
        size = MARKER_POINTS.get(marker, 5.5)
        return Line2D(
            [], [], color=colour, marker=marker, linestyle="none", label=label, markersize=size
        )

    others = [row for row in rows if not _plain(row)]
    handles = [
        mark(METHODS[method], COLOURS[method], MARKERS[method])
        for method in METHODS
        if any(row.method == method for row in rows)
    ]
    if any(row.weights for row in others):
        handles.append(mark("other scheme or training", INK, SCHEME))
    if not all(row.weights for row in others):
        handles.append(mark("mixture", INK, MIXTURE))
    figure.legend(
        handles=handles, loc="outside upper center", ncols=4, frameon=False, labelcolor=INK
    )
    if others:
        named = [
            Line2D([], [], linestyle="none", label=f"{letter}: {name}")
            for name, letter in letters.items()
        ]
        figure.legend(
            handles=named, loc="outside lower center", ncols=3, frameon=False, labelcolor=INK,
            fontsize="small", handlelength=0, handletextpad=0,
        )  # fmt: skip
