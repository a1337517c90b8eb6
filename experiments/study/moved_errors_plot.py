"""Where the errors moved, in pictures: words, kinds of errors, utterances."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from experiments.reports.figures import COLOURS, INK, ink
from experiments.study.cell_rows import FLOAT
from experiments.study.moved_errors import KINDS, Moved
from experiments.study.saved_study import Saved, in_grid
from experiments.study.study_rows import VariantRow

TITLE = "Where the errors moved"
WORDS = 10
ROW_INCHES = 3.0
MOST_SHOWN = 3
LOST, WON = COLOURS["ptq"], COLOURS["native-qat"]
# Light to dark, so that they differ in print and for every eye.
KIND_COLOURS = dict(zip(KINDS, ("#b9c6d6", "#6f8fb5", "#2c4f7c"), strict=True))
KIND_NAMES = dict(zip(KINDS, ("substituted", "deleted", "inserted"), strict=True))


def chosen(study: Saved, found: Sequence[Moved]) -> list[Moved]:
    """Those to draw: native training at the grid's lower widths, or else the smallest files.

    They are chosen by what they are, never by their error rates.
    """
    rows = {row.name: row for row in study.variants if row.method != FLOAT}
    quantized = [moved for moved in found if moved.name in rows]

    def fits(row: VariantRow) -> bool:
        low = row.weights is not None and row.weights < 8
        native = row.method == "native-qat" and row.activations == "int8 dynamic"
        return low and native and in_grid(row, row.name)

    wanted = [moved for moved in quantized if fits(rows[moved.name])]
    if not wanted:
        files = [moved for moved in quantized if rows[moved.name].has_file]
        wanted = sorted(files, key=lambda moved: rows[moved.name].bytes or 0)
    return wanted[:MOST_SHOWN]


def errors_figure(found: Sequence[Moved]) -> Figure:
    """Three panels for each of `found`."""
    figure = Figure((10.5, ROW_INCHES * len(found) + 0.2), layout="constrained")
    panels = figure.subplots(
        len(found), 3, squeeze=False, gridspec_kw={"width_ratios": (1.3, 0.8, 1)}
    )
    for axes, moved in zip(panels, found, strict=True):
        _words(axes[0], moved)
        _kinds(axes[1], moved)
        _utterances(axes[2], moved)
    return figure


def _words(axes: Axes, moved: Moved) -> None:
    """Words that moved most often: lost to the left, won to the right."""
    words = [word for word, _ in (moved.lost + moved.won).most_common(WORDS)]
    places = range(len(words))
    lost = [-moved.lost[word] / moved.pairs for word in words]
    won = [moved.won[word] / moved.pairs for word in words]
    axes.barh(places, lost, color=LOST)
    axes.barh(places, won, color=WON)
    axes.set_yticks(places, words)
    axes.set_ylim(WORDS - 0.4, -0.6)
    axes.axvline(0, color=INK, linewidth=0.8)
    reach = max([-number for number in lost] + won + [0.1])
    axes.set_xlim(-1.1 * reach, 1.1 * reach)
    axes.xaxis.set_major_formatter(lambda number, _: f"{abs(number):g}")
    axes.set_xlabel("words lost | won, mean of the seeds", color=INK)
    axes.set_title(moved.name, loc="left", fontsize="medium", color=INK)
    ink(axes, "x")
    handles = [Patch(color=LOST, label="lost"), Patch(color=WON, label="won")]
    axes.legend(handles=handles, frameon=False, fontsize="small", labelcolor=INK, loc="lower right")


def _kinds(axes: Axes, moved: Moved) -> None:
    """Errors by kind, float beside quantized."""
    names = ["float", "quantized"]
    start = [0.0, 0.0]
    for kind in KINDS:
        rates = [100 * counts[kind] / max(moved.words, 1) for counts in moved.kinds]
        axes.bar(names, rates, 0.6, bottom=start, color=KIND_COLOURS[kind], label=KIND_NAMES[kind])
        start = [before + rate for before, rate in zip(start, rates, strict=True)]
    axes.set_ylim(0, 1.45 * max(*start, 0.1))
    axes.set_ylabel("% of the words", color=INK)
    ink(axes, "y")
    axes.legend(frameon=False, fontsize="small", labelcolor=INK, reverse=True)


def _utterances(axes: Axes, moved: Moved) -> None:
    """Errors of each utterance, float against quantized."""
    pairs = {pair: number for pair, number in moved.utterances.items() if any(pair)}
    most = max((max(pair) for pair in pairs), default=1)
    axes.plot([0, most], [0, most], color=INK, linewidth=0.8, alpha=0.5)
    largest = max(pairs.values(), default=1)
    axes.scatter(
        [before for before, _ in pairs],
        [after for _, after in pairs],
        s=[12 + 160 * number / largest for number in pairs.values()],
        c=[LOST if after > before else WON if after < before else INK for before, after in pairs],
        alpha=0.65,
        linewidths=0,
    )
    right = moved.utterances[0, 0] / max(moved.utterances.total(), 1)
    axes.set_title(f"no error in both: {right:.0%}", fontsize="small", loc="right", color=INK)
    axes.set_xlabel("errors of an utterance, float", color=INK)
    axes.set_ylabel("quantized", color=INK)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    ink(axes)
