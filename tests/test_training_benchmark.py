"""What the benchmark of training steps makes of its times."""

import numpy as np
import pytest

from asr_qat.models.presets import PRESETS
from experiments.benchmarks import training_step
from tests.training_fixtures import ENCODER


def test_costs_are_ratios_within_a_round():
    """The machine is twice as slow in the last round: that is no cost of quantization."""
    times = np.array([[0.1, 0.11], [0.1, 0.13], [0.2, 0.24]])
    plain, native = training_step.cost_rows(times, ["float", "native QAT"], 24.0)
    assert plain.costs == (1, 1, 1) and plain.cost_min == plain.cost_max == 1
    assert native.costs == pytest.approx([1.1, 1.3, 1.2])
    found = [native.cost_min, native.cost, native.cost_max]
    assert found == pytest.approx([1.1, 1.2, 1.3])
    assert native.step_ms == pytest.approx(130)
    assert native.audio_seconds_per_second == pytest.approx(24 / 0.13)


@pytest.mark.long
def test_a_benchmark_has_a_cost_of_each_round(monkeypatch):
    monkeypatch.setitem(PRESETS, "tiny", ENCODER)
    content = training_step.benchmark("tiny", batch=2, seconds=1.0, rounds=2, quiet=True)
    assert [row.name for row in content.rows] == ["float", "fake QAT", "native QAT"]
    assert all(len(row.costs) == content.rounds == 2 for row in content.rows)
    profile = content.profile
    assert "MatMul" in {row.kernel for row in profile}
    assert [row.ms for row in profile] == sorted((row.ms for row in profile), reverse=True)
    whole = profile[0].ms / profile[0].share  # milliseconds of all kernels
    assert whole >= sum(row.ms for row in profile)
    assert [row.share * whole for row in profile] == pytest.approx([row.ms for row in profile])
