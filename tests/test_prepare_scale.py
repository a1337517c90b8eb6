"""What is said of `prepare` on many cores, from made-up measurements, and its commands."""

import dataclasses

import pytest

from asr_qat.errors import UserError
from asr_qat.provenance import provenance
from experiments.prepare_scale.commands import folder_bytes, same_files, timed
from experiments.prepare_scale.layouts import LAYOUTS, LayoutRow
from experiments.prepare_scale.rows import PrepareRow, PrepareScaleResults, Stages, StoreRow
from experiments.prepare_scale.table import prepare_scale_table


def results(seconds_of_two=60.0, loss=2.0):
    def row(executor, workers, seconds):
        return PrepareRow(
            executor=executor,
            workers=workers,
            seconds=seconds,
            speed_up=100.0 / seconds,
            identical=True,
        )

    return PrepareScaleResults(
        **provenance(),
        corpus="Some speech.",
        audio_hours=10.0,
        utterances=3600,
        shards=4,
        folder_bytes=2 * 10**9,
        rows=(row("processes", 1, 100.0), row("processes", 2, seconds_of_two)),
        stages=Stages(
            core_seconds=72.0, read_seconds=0.18, merge_seconds=0.18, vocabulary_seconds=0.36
        ),
        steps=4,
        store=(
            StoreRow(place="disk", prepare_seconds=1.0, train_seconds=1.0, loss=2.0),
            StoreRow(place="s3", prepare_seconds=2.0, train_seconds=3.0, loss=loss),
        ),
        layouts=tuple(
            LayoutRow(layout, names[0], library, "x", 6, True, True, 1.0)
            for layout, library, names in LAYOUTS
        ),
    ).with_targets()


def test_targets():
    assert [row.met for row in results(50.0).targets] == [True] * 4
    assert [row.met for row in results(90.0, 2.1).targets] == [False, True, False, True]
    other = results(50.0)
    rows = (dataclasses.replace(other.rows[0], identical=False), *other.rows[1:])
    assert not dataclasses.replace(other, rows=rows).with_targets().targets[1].met


def test_the_page_carries_the_measurement_to_100_000_hours():
    """10,000 times the corpus: 200 core hours; two hours of reading, planning and merging alone."""
    page = prepare_scale_table(results(50.0))
    assert "10,000 times this corpus: 200 core hours, 36 million utterances, 20.0 TB" in page
    assert "| 2 | 100.0 | 2.0 | 102.0 | the cores |" in page
    assert "| 1024 | 0.2 | 2.0 | 2.2 | what one process does alone |" in page
    assert "0.139 hours of audio a second (500 times" in page
    assert "**4 of 4 targets met.**" in page


def test_folders_are_compared_by_their_bytes(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name / "below").mkdir(parents=True)
        (tmp_path / name / "below/x").write_bytes(b"one")
    assert same_files(tmp_path / "a", tmp_path / "b") and folder_bytes(tmp_path / "a") == 3
    (tmp_path / "b/below/x").write_bytes(b"two")
    assert not same_files(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b/below/x").unlink()
    assert not same_files(tmp_path / "a", tmp_path / "b")


@pytest.mark.slow
def test_a_command_that_fails_is_an_error():
    spent = timed("--version")
    assert 0 < spent.core and 0 < spent.wall
    with pytest.raises(UserError, match="asr-qat prepare .* no such file or folder"):
        timed("prepare", "--corpus", "manifest", "--data", "nowhere", "--out", "x")
