"""`results/noise.json` in Markdown."""

from asr_qat.counted import counted
from experiments.noise.rows import NoiseResults, NoiseRow
from experiments.reports.markdown import markdown_columns
from experiments.reports.targets import met_of, targets_table


def noise_table(found: NoiseResults) -> str:
    """The page, which opens with the answer."""
    lines = [
        f"{met_of(found.targets)} {found.data}, {found.utterances} recordings, "
        f"{found.words} words; {counted(found.draws, 'draw')} of each noise. Noise is added at a "
        "ratio of plain powers, over the whole recording; all files hear the same. Babble is six "
        "other utterances, by other speakers. Intervals are those of 95% over utterances, whose "
        "errors in all draws count as one; differences are in points, and paired.\n",
        targets_table(found.targets),
    ]
    names = list(dict.fromkeys(row.file for row in found.rows))
    columns = ["Model", "Condition"]
    for name in names:
        columns.append(f"{name}, WER % [95%]")
        columns += [f"to {row.baseline}" for row in found.rows[: len(names)] if _is(row, name)]
    table = [
        [rows[0].kind, condition, *(cell for row in rows for cell in _cells(row))]
        for condition, rows in found.conditions
    ]
    lines.append(markdown_columns(columns, table, words=2))
    return "\n".join(lines)


def _is(row: NoiseRow, name: str) -> bool:
    """Whether a row is of this file, and compared with another."""
    return row.file == name and row.baseline is not None


def _cells(row: NoiseRow) -> list[str]:
    low, high = (100 * bound for bound in row.wer_ci)
    cells = [f"{100 * row.wer:.1f} [{low:.1f}, {high:.1f}]"]
    if row.wer_diff is not None and row.wer_diff_ci is not None:
        low, high = (100 * bound for bound in row.wer_diff_ci)
        cells.append(f"{100 * row.wer_diff:+.1f} [{low:+.1f}, {high:+.1f}]")
    return cells
