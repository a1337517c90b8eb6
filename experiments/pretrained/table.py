"""The results of `python -m experiments.pretrained` in Markdown."""

from experiments.pretrained.results import PretrainedResults
from experiments.pretrained.trained import FileRow, TrainedRow
from experiments.reports.markdown import markdown_table
from experiments.reports.targets import met_of, targets_table

NONE = "–"
MB = 1e6  # bytes


def pretrained_table(found: PretrainedResults) -> str:
    """The promises, the networks with random weights, then each trained checkpoint."""
    parts = [f"{met_of(found.targets)}\n"]
    if found.logits:
        parts.append(_logits(found))
    parts += [_trained(row) for row in found.trained]
    parts.append(f"All targets:\n\n{targets_table(found.targets)}")
    return "\n".join(parts)


def _logits(found: PretrainedResults) -> str:
    columns = ["Network", "Parameters", "Logits' deviation", "Keras", "Keras, padded", "File"]
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)]]
    for row in found.logits:
        file = NONE if row.tflite is None else f"{row.tflite:.1e}"
        name, count = row.name, f"{row.parameters / 1e6:.1f} M"
        lines.append(
            [name, count, f"{row.deviation:.2f}", f"{row.keras:.1e}", f"{row.keras_padded:.1e}"]
            + [file]
        )
    return (
        "Networks of published sizes with random weights and batch statistics: the largest "
        "difference of a logit to NeMo's, in 10 s and 6 s of noise. A file of float32 weights "
        f"above 2 GB cannot exist.\n\n{markdown_table(lines)}"
    )


def _trained(row: TrainedRow) -> str:
    columns = ["File", "MB", "WER %", "Difference [95%], points", "Verdict"]
    lines = [columns, ["---", "---:", "---:", "---:", "---"]]
    lines += [_file(each) for each in row.files]
    return (
        f"{row.name}, trained by NeMo on CMU AN4: of {row.utterances} test utterances the Keras "
        f"model gives NeMo's own text for {row.identical_keras}, the float file for "
        f"{row.identical_tflite}; NeMo's WER is {row.nemo_wer:.2%}.\n\n{markdown_table(lines)}"
    )


def _file(row: FileRow) -> list[str]:
    difference = NONE
    if row.wer_diff is not None and row.wer_diff_ci is not None:
        low, high = (100 * bound for bound in row.wer_diff_ci)
        difference = f"{100 * row.wer_diff:+.1f} [{low:+.1f}, {high:+.1f}] to {row.baseline}"
    size, rate = f"{row.bytes / MB:.2f}", f"{100 * row.wer:.1f}"
    return [row.name, size, rate, difference, row.verdict or NONE]
