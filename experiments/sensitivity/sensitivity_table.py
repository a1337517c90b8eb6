"""What fewer bits do to each part of a model, in Markdown."""

from typing import Any

from experiments.reports.page_parts import markdown

PASSES = ("first pass", "second pass")


def parts_table(sensitivity: dict[str, Any]) -> str:
    """A row for each part at each precision.

    Args:
        sensitivity: what `asr-qat sensitivity` writes.
    """
    parts = sensitivity["parts"]
    live = any(row["by_pass"] for row in parts)
    header = ["Part", "Precision", "kB", "Nats an utterance", *(PASSES if live else ())]
    rows = [
        [
            *(row["layer"], row["precision"], f"{row['bytes'] / 1000:.0f}"),
            *(f"{value:.4f}" for value in (row["divergence"], *row["by_pass"])),
        ]
        for row in parts
    ]
    notes = [
        f"`{sensitivity['model']}` on {sensitivity['utterances']} utterances of "
        f"{sensitivity['corpus']} ({sensitivity['split']}): the weights of all layers of a part "
        "are rounded, the others stay float. The nats are the divergence from the float model "
        "(`experiments/sensitivity/sensitivity.py`)."
    ]
    if live:
        notes.append(
            "The encoder is the causal one: the second pass reads what it finds. The cascade moves "
            "the second pass alone; the sum in front weighs both as training does."
        )
    return "\n\n".join([markdown(header, rows), " ".join(notes)]) + "\n"
