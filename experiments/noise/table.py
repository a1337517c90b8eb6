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
    tables: dict[tuple[str, ...], list[list[str]]] = {}  # by their columns
    for condition, rows in found.conditions:
        columns = ["Model", "Condition"]
        for row in rows:
            columns.append(f"{row.file}, WER % [95%]")
            columns += [f"to {row.baseline}"] if row.baseline is not None else []
        cells = [cell for row in rows for cell in _cells(row)]
        tables.setdefault(tuple(columns), []).append([rows[0].kind, condition, *cells])
    lines += ["\n".join(markdown_columns(list(c), table, words=2) for c, table in tables.items())]
    return "\n".join(lines)


def _cells(row: NoiseRow) -> list[str]:
    low, high = (100 * bound for bound in row.wer_ci)
    cells = [f"{100 * row.wer:.1f} [{low:.1f}, {high:.1f}]"]
    if row.wer_diff is not None and row.wer_diff_ci is not None:
        low, high = (100 * bound for bound in row.wer_diff_ci)
        cells.append(f"{100 * row.wer_diff:+.1f} [{low:+.1f}, {high:+.1f}]")
    return cells
