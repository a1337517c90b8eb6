"""The tables of a study: verdicts, the grid, groups, cells."""

import math
from collections.abc import Callable, Iterable, Sequence

from experiments.reports.page_parts import (
    BYTES_PER_MB,
    NONE,
    Table,
    interval,
    points,
    verdict,
    verdict_note,
)
from experiments.study.cell_rows import FLOAT, METHODS, CellRow
from experiments.study.config import ACTIVATIONS
from experiments.study.mixture_rivals import NEAR
from experiments.study.saved_study import Saved
from experiments.study.study_rows import Rival, Spread, VariantRow
from experiments.targets import Row

TRAINING_ONLY = "training only"
FLOAT_BITS = 32
TWO_BITS = 2
KINDS = tuple(ACTIVATIONS)  # of activations, in the order of a grid
Column = tuple[str, Callable[[VariantRow], str]]


def bits(row: VariantRow) -> str:
    """Width of the weights."""
    if row.weights is None:
        return "mixed"
    return "float" if row.weights == FLOAT_BITS else f"{row.weights} bits"


def runs_in(row: VariantRow | CellRow) -> str:
    """Whether the device executes the arithmetic."""
    return "LiteRT" if row.executed_on_device else TRAINING_ONLY


def megabytes(row: VariantRow | CellRow | Rival) -> str:
    """Size of the file, if there is one."""
    return f"{row.bytes / BYTES_PER_MB:.2f}" if row.bytes and row.executed_on_device else NONE


def smaller(row: VariantRow | CellRow) -> str:
    """How many times smaller than float32."""
    return f"{row.ratio:.1f}x" if row.ratio else NONE


def spread(rates: Spread) -> str:
    """Mean in percent and, where they differ, the range over the seeds."""
    mean, low, high = (100 * rate for rate in (rates.mean, rates.min, rates.max))
    return f"{mean:.1f}" if rates.min == rates.max else f"{mean:.1f} ({low:.1f}–{high:.1f})"


def method(row: VariantRow | CellRow) -> str:
    """In words."""
    return METHODS.get(row.method, row.method)


def difference(row: VariantRow | CellRow | Rival) -> str:
    """In points, with its own 95% interval."""
    return points(row.wer_diff, row.wer_diff_ci)


def by_speaker(row: VariantRow | Rival) -> str:
    """Interval of the difference with speakers and seeds drawn, if it is known."""
    bounds = row.wer_diff_ci_speakers
    return NONE if bounds is None else interval(bounds, "+")


def by_seed(row: VariantRow | Rival) -> str:
    """Difference of each seed in points."""
    return ", ".join(f"{100 * value:+.1f}" for value in row.wer_diff_by_seed or ())


def changed(row: VariantRow) -> str:
    """Share of hypotheses in which the file differs from the Keras model, if there is a file."""
    if not row.executed_on_device or row.changed_hypotheses is None:
        return NONE
    return f"{row.changed_hypotheses.share:.1%}"


def widened(study: Saved) -> Column:
    """The difference in points, with the interval that the verdict goes by."""

    def show(row: VariantRow) -> str:
        judgement = study.judge(row)
        return NONE if judgement is None else points(row.wer_diff, judgement.interval)

    return f"Difference {study.together} [95%, widened]", show


def targets_table(study: Saved) -> Table:
    """What was promised, and what came of it."""
    words = {True: "met", False: "missed", None: NONE}
    columns: tuple[tuple[str, Callable[[Row], str]], ...] = (
        ("Target", lambda row: row.name),
        ("Measured", lambda row: _figure(row.value)),
        ("Bar", lambda row: _figure(row.target)),
        ("", lambda row: words[row.met]),
    )
    rows = study.summary.targets
    promised = [row for row in rows if row.met is not None]
    met = sum(bool(row.met) for row in promised)
    return Table.of(f"Targets: {met} of {len(promised)} met", columns, rows)


def _figure(value: float | None) -> str:
    return NONE if value is None else f"{value:.3g}"


def variant_columns(study: Saved) -> tuple[Column, ...]:
    """What is said of a variant."""
    measured = study.speed.rtf if study.speed else {}

    def rate(split: str) -> Column:
        return f"WER {split} %", lambda row: spread(row.wer[split])

    return (
        ("Variant", lambda row: row.name),
        ("Method", method),
        ("Weights", bits),
        ("Activations", lambda row: row.activations),
        ("Scheme", lambda row: row.scheme),
        ("Steps", lambda row: f"{row.steps:,}"),
        ("Seeds", lambda row: str(len(row.seeds))),
        ("MB", megabytes),
        ("Smaller", smaller),
        ("Runs in", runs_in),
        ("RTF", lambda row: f"{measured[row.name]:.4f}" if row.name in measured else NONE),
        *map(rate, study.splits),
        widened(study),
        ("Verdict", lambda row: verdict(study.judge(row))),
        (f"Changed in the file, {study.together}", changed),
    )


def verdict_table(study: Saved) -> Table:
    """Each variant that is compared with float32, the smallest files first."""
    columns: tuple[Column, ...] = (
        ("Variant", lambda row: row.name),
        ("Verdict", lambda row: verdict(study.judge(row))),
        ("Smaller", smaller),
        widened(study),
        ("Method", method),
        ("MB", megabytes),
        (f"WER {study.splits[0]} %", lambda row: spread(row.wer[study.splits[0]])),
        (
            "Verdict with speakers and seeds drawn",
            lambda row: verdict(study.judge_by_speakers(row)),
        ),
    )
    rows = sorted(study.compared, key=lambda row: row.bytes or math.inf)
    return Table.of(
        "Verdicts",
        columns,
        rows,
        f"{verdict_note(len(rows))} The difference is that of the error rates of all seeds and all "
        "scored splits together, in points, with an interval over the utterances: these trainings, "
        "other utterances. The last column is the verdict by an interval of other speakers and "
        "other trainings, which asks for more. Without a file (training only) the Keras model is "
        "scored.",
    )


def difference_table(study: Saved) -> Table:
    """The difference of each variant to float32 with both intervals, and seed by seed."""
    columns: tuple[Column, ...] = (
        ("Variant", lambda row: row.name),
        ("Method", method),
        (f"Utterances drawn, {study.together} [95%]", difference),
        (f"Speakers and seeds drawn, {study.together} [95%]", by_speaker),
        ("Each seed", by_seed),
    )
    return Table.of(
        "How sure the differences are",
        columns,
        study.compared,
        "Differences to float32 in points, each with its own 95% interval, not widened for many "
        "comparisons. First a paired bootstrap over the utterances, of these trainings and as if "
        "each utterance were spoken by somebody else; then one that draws speakers, with all that "
        "they say, and seeds. With few speakers or seeds that interval is rather too narrow. "
        f"{_speakers(study)}",
    )


def _speakers(study: Saved) -> str:
    """How many are in each split."""
    counts = {
        name: len(set(split.speakers) - {""}) for name, split in study.summary.corpus.splits.items()
    }
    if not any(counts.values()):
        return "The corpus names no speakers: each utterance counts as its own."
    return f"Speakers: {', '.join(f'{count:,} in {name}' for name, count in counts.items())}."


def mixture_table(study: Saved) -> Table:
    """Each mixture beside the best uniform scheme whose file has about its bytes."""

    def rival(show: Callable[[Rival], str]) -> Callable[[VariantRow], str]:
        return lambda row: NONE if row.uniform is None else show(row.uniform)

    columns: tuple[Column, ...] = (
        ("Mixture", lambda row: row.name),
        ("MB", megabytes),
        ("Its layers", lambda row: ", ".join(row.precisions or ())),
        ("Uniform", lambda row: row.uniform.name if row.uniform else "none of its size"),
        ("Each layer", rival(lambda uniform: uniform.precision)),
        ("MB of it", rival(megabytes)),
        (f"Difference to it, {study.together} [95%]", rival(difference)),
        ("Speakers and seeds drawn [95%]", rival(by_speaker)),
        ("Each seed", rival(by_seed)),
    )
    return Table.of(
        "Mixtures against uniform weights",
        columns,
        [row for row in study.variants if row.is_mixture],
        "The uniform scheme has the mixture's training, from the same start and to the last "
        f"setting, and a file within {NEAR:.0%} of its bytes; of several it is the one with the "
        "fewest errors on what is scored here. The two may choose a weight from other grids (such "
        "as -clip: the range is found by search): the difference is then that of grids and widths "
        "together. A mixture's budget is of the weights, its MB are of the file. Its layers' "
        "precisions were chosen on the development data, which is a part of what is scored.",
    )


def activation_kinds(rows: Iterable[VariantRow]) -> list[str]:
    """Kinds of activations in the order of a grid; those that have no place in it last."""
    found = dict.fromkeys(row.activations for row in rows)
    return sorted(found, key=lambda kind: KINDS.index(kind) if kind in KINDS else len(KINDS))


def grid_table(study: Saved) -> Table:
    """Weights by activations, with a column for each method.

    What is not quantized at all is the same by every method.
    """
    rows, split = study.grid, study.splits[0]
    found = [name for name in METHODS if any(row.method == name for row in rows)]
    methods = [name for name in found if name != FLOAT] or found
    kinds = activation_kinds(rows)
    places: dict[tuple[int | None, str], list[VariantRow]] = {}
    for row in rows:
        places.setdefault((row.weights, row.activations), []).append(row)
    ordered = sorted(places, key=lambda place: (-(place[0] or 0), kinds.index(place[1])))

    def rates(name: str) -> Callable[[list[VariantRow]], str]:
        return lambda own: _rates([r for r in own if r.method in (name, FLOAT)], split)

    said = f"WER {split} %; difference, changed {study.together}"
    columns = (
        ("Weights", lambda own: bits(own[0])),
        ("Activations", lambda own: own[0].activations),
        ("MB", lambda own: megabytes(own[0])),
        ("Smaller", lambda own: smaller(own[0])),
        ("Runs in", lambda own: runs_in(own[0])),
        *((f"{METHODS[name]}: {said}", rates(name)) for name in methods),
        ("Seeds", lambda own: _range(len(row.seeds) for row in own)),
    )
    return Table.of(
        "Weights by activations",
        columns,
        [places[place] for place in ordered],
        f"Each method: WER of {split} in percent, in round brackets its range over the seeds; then "
        f"the difference to float32 in points, of {study.together}, in square brackets its own "
        f"paired 95% interval; then the share of utterances, of {study.together}, for which the "
        "file gives another text than the Keras model.",
    )


def _rates(rows: list[VariantRow], split: str) -> str:
    """One place of the grid and one method, with one or more step counts."""
    texts = []
    for row in rows:
        words = [spread(row.wer[split])]
        if row.wer_diff_ci is not None:
            words.append(difference(row))
        if row.executed_on_device and row.method != FLOAT:
            words.append(f"{changed(row)} changed")
        if len(rows) > 1:
            words.append(f"at {row.steps:,} steps")
        texts.append("; ".join(words))
    return " / ".join(texts) or NONE


def _range(numbers: Iterable[int]) -> str:
    found = sorted(set(numbers))
    return str(found[0]) if len(found) == 1 else f"{found[0]}–{found[-1]}"


def two_bit_table(study: Saved) -> Table:
    """Every variant with 2-bit weights, the smallest difference to float32 first."""
    rows = [row for row in study.variants if row.weights == TWO_BITS]
    # Without one the baseline is not finished.
    ordered = sorted(rows, key=lambda row: math.inf if row.wer_diff is None else row.wer_diff)
    return Table.of("2-bit weights, of all groups", variant_columns(study), ordered)


def group_tables(study: Saved) -> list[Table]:
    """A table for each group but the grid."""
    return [
        Table.of(f"Group: {name}", variant_columns(study), study.group(name))
        for name in study.groups
    ]


def cells_table(study: Saved) -> Table:
    """Every cell, scored on the first split."""

    def same(row: CellRow) -> str:
        share = row.first.identical_hypotheses
        return NONE if share is None else f"{share:.1%}"

    columns: Sequence[tuple[str, Callable[[CellRow], str]]] = (
        ("Cell", lambda row: row.name),
        ("Method", method),
        ("Steps", lambda row: f"{row.steps:,}"),
        ("MB", megabytes),
        ("Smaller", smaller),
        ("Runs in", runs_in),
        ("WER % [95%]", lambda row: f"{100 * row.first.wer:.1f} {interval(row.first.wer_ci)}"),
        ("Difference [95%]", difference),
        ("CER %", lambda row: f"{100 * row.first.cer:.1f}"),
        ("WER in Keras %", lambda row: f"{100 * row.first.keras_wer:.1f}"),
        ("Same text as Keras", same),
        ("Time, min", lambda row: f"{sum(row.seconds.values()) / 60:.1f}"),
    )
    return Table.of(f"Every cell, on {study.splits[0]}", columns, study.rows)
