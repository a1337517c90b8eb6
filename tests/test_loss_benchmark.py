"""The benchmark of the transducer loss, on shapes that take no time."""

import pytest

from experiments.benchmarks import loss as loss_benchmark
from experiments.benchmarks.loss_cases import JOINTS, LOSSES, Shape, peak_mb

SHAPE = Shape(2, 12, 4, 20)


def test_checks_find_small_errors():
    assert 0 < loss_benchmark.brute_force_max_error(lattices=20) < 1e-5
    assert 0 < loss_benchmark.finite_difference_max_error() < 1e-4


@pytest.mark.long
def test_rows(monkeypatch):
    monkeypatch.setattr(loss_benchmark, "peak_mb", lambda name, shape: 1.0)
    content = loss_benchmark.benchmark_loss((SHAPE,), (SHAPE,), rounds=2, quiet=True)
    names = [row.implementation for row in content.rows]
    assert names[: len(LOSSES)] == list(LOSSES)
    assert [row.implementation for row in content.joint_rows] == list(JOINTS)
    for row in content.rows + content.joint_rows:
        assert row.rounds == 2 and row.median_ms > 0
        assert row.max_loss_diff < 1e-5 and row.max_grad_diff < 1e-4
    assert content.rows[names.index("naive")].speed == 1


@pytest.mark.long
def test_peak_memory_is_that_of_logits_and_gradient_and_bounded_when_fused():
    shape = Shape(2, 200, 40, 1024)
    logits_mb = shape.batch * shape.time * (1 + shape.labels) * shape.classes * 4 / 2**20
    assert 2 * logits_mb <= peak_mb("ours", shape) < 2.5 * logits_mb
    assert peak_mb("naive", shape) > 4 * logits_mb
    assert peak_mb(JOINTS[1], shape) < logits_mb < peak_mb(JOINTS[0], shape)
