"""Functions in a process of their own, and its memory."""

import os
from pathlib import Path

import pytest

from asr_qat.errors import UserError
from tests.fresh_functions import facts, fail, hold, imports_of, refuse
from tflite_export.score.fresh_process import peak_memory_mb, result_of


def test_memory_of_a_fresh_process():
    small, large = peak_memory_mb(hold, 1), peak_memory_mb(hold, megabytes=201)
    assert 199 < large - small < 230


def test_memory_of_the_parent_does_not_count():
    """As it would with getrusage: a process begins with the peak of the one that forked it."""
    before = peak_memory_mb(hold, 1)
    mine = bytearray(os.urandom(1 << 20) * 300)
    after = peak_memory_mb(hold, 1)
    assert len(mine) == 300 << 20
    assert abs(after - before) < 10
    assert after < 100


def test_what_it_returns():
    found = result_of(facts, Path("a") / "b", (0.5, 2.0))  # type: ignore[arg-type]
    assert found["given"] == ["a/b", 0.5, 2.0]
    assert found["process"] != os.getpid()
    assert not found["tensorflow"]


def test_a_failure_there_is_one_line():
    with pytest.raises(UserError, match="^model: ValueError: too bad$"):
        peak_memory_mb(fail, "model")
    with pytest.raises(UserError, match="^model: damaged$"):
        result_of(refuse, "model")
    with pytest.raises(TypeError, match="missing a required argument"):
        result_of(fail)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "module", ["tflite_export.score.silence_runs", "experiments.live.long_recording"]
)
def test_what_is_measured_without_training_imports_nothing_of_it(module):
    loaded = result_of(imports_of, module)
    assert "ai_edge_litert" in loaded
    assert not {"tensorflow", "tf_keras", "pytest"} & set(loaded)
