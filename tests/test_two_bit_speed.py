"""Speed of 2-bit files: what is promised of which rows, and what is measured."""

import dataclasses
import json

import pytest

from asr_qat.config import from_dict
from asr_qat.provenance import Hardware
from experiments.two_bit_speed import measure as measured
from experiments.two_bit_speed.rows import FileRow, NetworkRow, TwoBitSpeedResults, targets
from experiments.two_bit_speed.table import two_bit_speed_table

pytest_plugins = ["tests.export_fixtures"]


def row(weights: str, cpu_ms: float, identical: bool | None) -> FileRow:
    return FileRow(
        **{"weights": weights, "mb": 29.0, "cpu_ms": cpu_ms, "speed": 100 / cpu_ms},
        **{"load_ms": 80.0, "first_ms": 250.0, "anonymous_mb": 120.0, "peak_mb": 200.0},
        identical=identical,
    )


FILES = (
    row("4 bits", 100.0, None),
    row("2 bits", 187.0, None),
    row("2 bits, widened to 4", 102.0, True),
    row("2 bits, widened to 8", 104.0, False),
)
FOUND = TwoBitSpeedResults(
    **{"command": "speed", "commit": "unknown", "versions": {}},
    hardware=Hardware(cpu="a CPU", vnni=True, cores=2, memory_gb=8.0),
    **{"audio_seconds": 10.0, "rounds": 3, "automatic": 4},
    networks=(NetworkRow(preset="L", parameters=110_000_000, files=FILES),),
)


def test_what_is_met():
    met = {row.name: row.met for row in targets(FOUND)}
    assert met == {
        "L: share of the 4-bit file's speed, 2 bits, widened to 4": True,
        "L: outputs of 2 bits, widened to 4 are the same to the bit": True,
        "L: outputs of 2 bits, widened to 8 are the same to the bit": False,
    }


def test_the_speed_of_what_is_chosen_here_counts():
    narrow = dataclasses.replace(FOUND, automatic=2)
    share = next(row for row in targets(narrow) if "share" in row.name)
    assert (share.name, share.met) == ("L: share of the 4-bit file's speed, 2 bits", False)


def test_results_are_read_again_as_they_were_written():
    found = dataclasses.replace(FOUND, targets=targets(FOUND))
    written = json.loads(json.dumps(dataclasses.asdict(found)))
    assert from_dict(TwoBitSpeedResults, written, "two_bit_speed.json") == found
    table = two_bit_speed_table(found)
    assert "| 2 bits, widened to 4 | 29.0 | 102.0 | 0.98x | 80 | 250 | 120 | 200 | yes |" in table
    assert "**2 of 3 targets met.**" in table


@pytest.mark.slow
def test_files_of_a_network(exported, model_directory, monkeypatch, tmp_path):
    """Four ways to run two files, of which the 2-bit one gives the same at every width."""
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny/model").symlink_to(model_directory)
    for precision in measured.PRECISIONS.values():
        (tmp_path / f"tiny/{precision}.tflite").symlink_to(exported(precision))
    found = measured.measure("tiny", tmp_path / "none.model", tmp_path, 2, 1, quiet=True)
    assert [file.weights for file in found.files] == [file.weights for file in FILES]
    assert [file.identical for file in found.files] == [None, None, True, True]
    four, *two = found.files
    assert four.speed == 1 and all(file.speed > 0 for file in two)
    assert {file.mb for file in two} == {exported("w2a8").stat().st_size / 1e6}
    assert all(file.first_ms > file.load_ms > 0 < file.peak_mb for file in found.files)
    quiet_and_loud = {measured.digest(str(exported(p)), "no") for p in ("w2a8", "w4a8")}
    assert len(quiet_and_loud) == 2
