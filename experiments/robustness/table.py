"""`results/robustness.json` in Markdown."""

from experiments.reports.markdown import markdown_table
from experiments.robustness.rows import RobustnessResults


def robustness_table(found: RobustnessResults) -> str:
    """The page, which opens with the answer."""
    met = sum(row.met is True for row in found.targets)
    worst = max(row.worst_points for row in found.models)
    first = found.models[0]
    lines = [
        f"**{met} of {len(found.targets)} targets met.** Over all levels and offsets the word "
        f"error rate changes by {worst:.1f} points at most. {found.data}, {first.utterances} "
        f"recordings, {first.words} words.",
        "\n",
    ]
    conditions = [_condition(row.gain_db, row.offset) for row in first.changed]
    header = ["File", "Kind", "Precision", "plain", *conditions]
    rule = ["---"] * 3 + ["---:"] * (len(header) - 3)
    rates = [[f"{rate:.1%}" for rate in (m.wer, *(c.wer for c in m.changed))] for m in found.models]
    rows = [
        [row.name, row.kind, row.precision, *own]
        for row, own in zip(found.models, rates, strict=True)
    ]
    return "\n".join(lines) + markdown_table([header, rule, *rows])


def _condition(gain_db: float, offset: float) -> str:
    parts = [f"{gain_db:+.0f} dB"] if gain_db else []
    parts += [f"+{offset}"] if offset else []
    return ", ".join(parts)
