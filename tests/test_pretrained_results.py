"""What `python -m experiments.pretrained` promises and shows of its rows."""

import dataclasses

import numpy as np
import pytest

from asr_qat.provenance import Provenance
from experiments.pretrained.logits import LogitsRow, _own_logits
from experiments.pretrained.results import PretrainedResults, targets
from experiments.pretrained.table import pretrained_table
from experiments.pretrained.trained import FileRow, TrainedRow

LOGITS = LogitsRow("a network", 13_100_000, 0.6, 2e-6, 3e-6, 4e-6, "abc")
FILES = (
    FileRow("float32", 4_000_000, 0.25),
    FileRow("int4 native QAT", 700_000, 0.26, "float32", 0.01, (-0.02, 0.04), "not shown"),
)
TRAINED = TrainedRow("a checkpoint", "0" * 64, 130, 130, 129, 0.25, FILES, (), "abc")


def test_targets():
    def met(logits, trained):
        return [row.met for row in targets((logits,), (trained,))]

    assert met(LOGITS, TRAINED) == [True, True, False, True, False]
    padded = dataclasses.replace(LOGITS, keras_padded=2e-4)
    assert met(padded, TRAINED)[0] is False
    without_file = dataclasses.replace(LOGITS, tflite=None)
    assert len(targets((without_file,), ())) == 1
    lossless = dataclasses.replace(FILES[-1], verdict="lossless")
    good = dataclasses.replace(TRAINED, identical_tflite=130, files=(FILES[0], lossless))
    assert met(LOGITS, good) == [True] * 5


def test_table():
    run = Provenance.of_this_run()
    found = PretrainedResults(
        **{field.name: getattr(run, field.name) for field in dataclasses.fields(Provenance)},
        logits=(LOGITS, dataclasses.replace(LOGITS, name="too large", tflite=None)),
        trained=(TRAINED,),
        targets=targets((LOGITS,), (TRAINED,)),
    )
    text = pretrained_table(found)
    assert "| too large | 13.1 M | 0.60 | 2.0e-06 | 3.0e-06 | – |" in text
    assert "| int4 native QAT | 0.70 | 26.0 | +1.0 [-2.0, +4.0] to float32 | not shown |" in text
    assert text.startswith("**3 of 5 targets met.**")


class CountingSteps:
    """Predicts the sum of the labels so far; joins by adding."""

    blank = 7
    durations = ()

    def initial_state(self, rows):
        return (np.zeros((rows, 1), np.float32),)

    def predict(self, labels, state):
        total = state[0] + labels[:, None]
        return total, (total,)

    def join(self, encoded, predicted):
        return encoded + predicted


def test_logits_of_a_transducer():
    encoded = np.float32([[100], [200]])
    found = {"labels": np.array([[0, 0], [1, 2]])}
    logits = _own_logits(CountingSteps(), encoded, found, row=1)
    np.testing.assert_array_equal(logits[:, :, 0], [[107, 108, 110], [207, 208, 210]])
    np.testing.assert_array_equal(_own_logits(None, encoded, found, row=1), encoded)


@pytest.mark.parametrize("missing", ["identical_keras", "identical_tflite"])
def test_one_other_text_is_a_miss(missing):
    row = dataclasses.replace(TRAINED, identical_keras=130, identical_tflite=130)
    assert targets((), (row,))[0].met
    assert not targets((), (dataclasses.replace(row, **{missing: 129}),))[0].met
