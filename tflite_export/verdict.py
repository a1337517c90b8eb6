"""Whether a quantized model lost anything: one sentence, by a margin that was set before."""

from typing import Any

from tflite_export.page_parts import difference

MARGIN = 0.01  # of the WER, absolute: as shares, one point


def verdict(row: dict[str, Any]) -> str:
    """The sentence about a row of the results with its `baseline`.

    A model is called lossless if the paired 95% interval of its WER difference lies within
    the margin on both sides (a test of equivalence). That an interval includes 0 is no proof:
    a small test set has wide ones.
    """
    low, high = row["wer_diff_ci"]
    points = f"{100 * MARGIN:.1f}"
    if -MARGIN <= low and high <= MARGIN:
        begins, where = "Lossless", f"within ±{points}"
    elif low > MARGIN:
        begins, where = "A loss", f"more than +{points}"
    elif high < -MARGIN:
        begins, where = "A gain", f"beyond -{points}"
    else:
        begins, where = "Lossless is not shown", f"not within ±{points}"
    return (
        f"{begins}: {row['name']} differs from {row['baseline']} by {difference(row)} points of "
        f"WER, {where}, in a file {row['ratio']:.1f} times smaller."
    )
