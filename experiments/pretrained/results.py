"""What `results/pretrained.json` holds."""

import dataclasses

from asr_qat.provenance import Provenance
from experiments.pretrained.logits import LogitsRow
from experiments.pretrained.trained import TrainedRow
from experiments.targets import Row, at_most, equal, not_worse

MOST_DIFFERENCE = 1e-4  # of logits


@dataclasses.dataclass(frozen=True, kw_only=True)
class PretrainedResults(Provenance):
    """Imported networks against the libraries that they come from.

    Attributes:
        logits: networks of published sizes with random weights.
        trained: checkpoints that NeMo trained.
        targets: what was promised of them.
    """

    logits: tuple[LogitsRow, ...] = ()
    trained: tuple[TrainedRow, ...] = ()
    targets: tuple[Row, ...] = ()


def targets(logits: tuple[LogitsRow, ...], trained: tuple[TrainedRow, ...]) -> tuple[Row, ...]:
    """What was promised, of all rows."""
    rows = []
    for row in logits:
        worst = max(row.keras, row.keras_padded)
        rows.append(at_most(f"{row.name}: Keras logits off", worst, MOST_DIFFERENCE))
        if row.tflite is not None:
            rows.append(at_most(f"{row.name}: file's logits off", row.tflite, MOST_DIFFERENCE))
    for each in trained:
        same = min(each.identical_keras, each.identical_tflite)
        rows.append(equal(f"{each.name}: texts that are NeMo's", same, each.utterances))
        first, last = each.files[0], each.files[-1]
        rows.append(equal(f"{each.name}: WER beside NeMo's", first.wer, each.nemo_wer))
        rows.append(not_worse(f"{each.name}: int4 native QAT", last.verdict))
    return tuple(rows)
