"""`results/after_training.json` in Markdown."""

from experiments.after_training.rows import MORE, SPEECH, AfterTrainingResults, FileRow
from experiments.reports.markdown import markdown_columns
from experiments.reports.targets import met_of, targets_table


def after_training_table(found: AfterTrainingResults) -> str:
    """The page, which opens with the answer."""
    float_wer = " / ".join(f"{100 * rate:.1f}" for rate in found.float_wer)
    more = f"; `{MORE}`: {found.more_utterances}" if found.more_utterances else ""
    lines = [
        f"{met_of(found.targets)}\n",
        f"{found.model}, {found.data}, {found.words} words. Word error rate of the float file, "
        f"dev / test / both: {float_wer}%. `{SPEECH}`: {found.utterances} utterances of the "
        "training speech, without transcripts; means over draws, each in its own file. LiteRT's "
        f"quantizer has {found.peer_utterances} of them{more}. Intervals: "
        "paired bootstrap over utterances, 95%.\n\n",
    ]
    columns = ["Rounded", "Precision", "MB", "dev %", "test %", "both %", "points to float", "s"]
    cells = [_cells(row) for row in found.rows]
    if any(row.divergence for row in found.rows):
        lines.append(
            "Divergence: relative entropy of a frame's distribution to the float file's, mean in "
            "thousandths of a nat. It tells apart what error rates do not.\n\n"
        )
        columns.append("divergence")
        for line, row in zip(cells, found.rows, strict=True):
            line.append(", ".join(f"{1000 * each:.1f}" for each in row.divergence) or "–")
    tables = [markdown_columns(columns, cells, words=2)]
    if found.not_run:
        tables += [
            "\n",
            markdown_columns(
                ["No file", "Precision", "What stopped it"],
                [[each.by, each.precision, each.reason] for each in found.not_run],
                words=3,
            ),
        ]
    if found.large:
        tables += [
            "\n",
            markdown_columns(
                ["Random weights", "Precision", "M parameters", "minutes", "error", "nearest"],
                [
                    [
                        each.name,
                        each.precision,
                        f"{each.parameters / 1e6:.1f}",
                        f"{each.minutes:.1f}",
                        f"{each.error:.3f}",
                        f"{each.error_nearest:.3f}",
                    ]
                    for each in found.large
                ],
                words=2,
            ),
        ]
    return "\n".join(lines) + "".join(tables) + "\n" + targets_table(found.targets)


def _cells(row: FileRow) -> list[str]:
    low, high = (100 * end for end in row.wer_diff_ci)
    return [
        row.by,
        row.precision,
        f"{row.bytes / 1e6:.2f}",
        ", ".join(f"{100 * rate:.1f}" for rate in row.dev_wer),
        ", ".join(f"{100 * rate:.1f}" for rate in row.test_wer),
        f"{100 * row.wer:.1f}",
        f"{100 * row.wer_diff:+.1f} [{low:+.1f}, {high:+.1f}]",
        ", ".join(f"{seconds:.0f}" for seconds in row.seconds) or "–",
    ]
