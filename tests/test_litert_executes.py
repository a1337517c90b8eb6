"""The table of what LiteRT executes, made anew for the kinds that decide what is written."""

import pytest

from asr_qat import files
from asr_qat.config import from_dict
from experiments.any_keras.executed import KINDS, WIDTHS, measure_one
from experiments.any_keras.results import AnyKerasResults
from tests.training_fixtures import REPOSITORY

RESULTS = REPOSITORY / "results/any_keras.json"


@pytest.mark.parametrize(
    ("kind", "bits"),
    [
        ("dense, 64 inputs", 4),
        ("dense, 63 inputs", 4),
        ("convolution 3x3", 4),
        ("depthwise convolution 3x3, float activations", 8),
        ("embedding, rows of 8", 2),
        ("embedding, rows of 7", 4),
    ],
)
def test_the_table_is_true(kind, bits):
    committed = from_dict(AnyKerasResults, files.read_json(RESULTS), str(RESULTS)).executed
    assert {(row.kind, row.bits) for row in committed} == {(k, b) for k in KINDS for b in WIDTHS}
    (expected,) = [row for row in committed if (row.kind, row.bits) == (kind, bits)]
    found = measure_one(kind, bits)
    assert (found.written, found.by, found.equal) == (expected.written, expected.by, expected.equal)


def test_what_is_written_is_what_was_trained():
    committed = from_dict(AnyKerasResults, files.read_json(RESULTS), str(RESULTS)).executed
    assert all(row.equal for row in committed if row.written)
    assert any(not row.equal for row in committed)  # the others are left out for a reason
