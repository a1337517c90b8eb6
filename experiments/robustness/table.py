"""`results/robustness.json` in Markdown."""

from experiments.reports.markdown import markdown_table
from experiments.reports.targets import met_of
from experiments.robustness.rows import RobustnessResults


def robustness_table(found: RobustnessResults) -> str:
    """The page, which opens with the answer."""
    worst = max(row.worst_points for row in found.models)
    first = found.models[0]
    lines = [
        f"{met_of(found.targets)} Over all levels and offsets the word "
        f"error rate changes by {worst:.1f} points at most. {found.data}, {first.utterances} "
        f"recordings, {first.words} words.",
        "\n",
    ]
    conditions = [_condition(row.gain_db, row.offset) for row in first.changed]
    conditions += ["click"] if first.clicked else []
    header = ["File", "Kind", "Precision", "WER % [95%]", *conditions]
    rule = ["---"] * 3 + ["---:"] * (len(header) - 3)
    rows = [
        [
            *(row.name, row.kind, row.precision),
            f"{100 * row.wer:.1f} [{100 * row.wer_ci[0]:.1f}, {100 * row.wer_ci[1]:.1f}]",
            *(f"{100 * changed.wer:.1f}" for changed in (*row.changed, row.clicked) if changed),
        ]
        for row in found.models
    ]
    return "\n".join(lines) + markdown_table([header, rule, *rows])


def _condition(gain_db: float, offset: float) -> str:
    parts = [f"{gain_db:+.0f} dB"] if gain_db else []
    parts += [f"+{offset}"] if offset else []
    return ", ".join(parts)
