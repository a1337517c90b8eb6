"""Tables of differences: how sure those to float32 are, and of mixtures to uniform weights."""

from experiments.reports.page_parts import NONE, difference, interval
from experiments.study.mixture_rivals import NEAR, is_mixture
from experiments.study.saved_study import Row, Saved
from experiments.study.tables import Table, megabytes, method


def by_speaker(row: Row) -> str:
    """Interval of the difference with speakers and seeds drawn, if it is known."""
    return (
        NONE if row["wer_diff_ci_speakers"] is None else interval(row["wer_diff_ci_speakers"], "+")
    )


def by_seed(row: Row) -> str:
    """Difference of each seed in points."""
    return ", ".join(f"{100 * value:+.1f}" for value in row["wer_diff_by_seed"])


def difference_table(study: Saved) -> Table:
    """The difference of each pooled row to float32 with both intervals, and seed by seed."""
    rows = [
        [row["name"], method(row), difference(row), by_speaker(row), by_seed(row)]
        for row in study.pooled
        if row["wer_diff_ci"] is not None
    ]
    drawn = f"{study.together} [95%]"
    header = ["Cell", "Method", f"Utterances drawn, {drawn}", f"Speakers and seeds drawn, {drawn}"]
    return Table(
        "How sure the differences are",
        [*header, "Of each seed"],
        rows,
        "Differences to float32 in points. First the paired interval over the utterances, of these "
        "trainings and as if each utterance were spoken by somebody else; then that of a draw of "
        "speakers, with all that they say, and of seeds. With few speakers or seeds such an "
        f"interval is rather too narrow. {_speakers(study)}",
    )


def _speakers(study: Saved) -> str:
    """How many are in each split."""
    splits = study.results["corpus"]["splits"].items()
    counts = {name: len(set(split["speakers"]) - {""}) for name, split in splits}
    if not any(counts.values()):
        return "The corpus names no speakers: each utterance counts as its own."
    return f"Speakers: {', '.join(f'{count:,} in {name}' for name, count in counts.items())}."


def mixture_table(study: Saved) -> Table:
    """Each mixture beside the best uniform scheme whose file has about its bytes."""
    rows = []
    for row in study.pooled:
        if not is_mixture(row):
            continue
        uniform = row["uniform"]
        known = [NONE] * 5 if uniform is None else [
            uniform["precision"],
            megabytes(uniform),
            difference(uniform),
            by_speaker(uniform),
            by_seed(uniform),
        ]  # fmt: skip
        rows.append(
            [
                row["name"],
                megabytes(row),
                ", ".join(row["precisions"]),
                "none of its size" if uniform is None else uniform["name"],
                *known,
            ]
        )
    header = ["Mixture", "MB", "Its layers", "Uniform", "All layers", "MB"]
    header += [f"Difference to it, {study.together} [95%]", "Speakers and seeds drawn [95%]"]
    return Table(
        "Mixtures against uniform weights",
        [*header, "Of each seed"],
        rows,
        "The uniform scheme has the mixture's training, from the same start and to the last "
        f"setting, and a file within {NEAR:.0%} of its bytes; of several it is the one with the "
        "fewest errors on what is scored here. The two may choose a weight from other grids (such "
        "as -clip: the range is found by search): the difference is then that of grids and widths "
        "together. A mixture's budget is of the weights, its MB are of the file. Its layers' "
        "precisions were chosen on the development data, which is a part of what is scored.",
    )
