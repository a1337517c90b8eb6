"""Files in every version of LiteRT: what is run, what is said, what is promised of it."""

import dataclasses
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from asr_qat.config import from_dict
from asr_qat.errors import UserError
from asr_qat.provenance import Hardware
from experiments.runtimes import matrix
from experiments.runtimes.install import LITERT, installed, versions
from experiments.runtimes.matrix import Runtime, compute, row_of, share_of_range
from experiments.runtimes.precision_files import product_of, write_product
from experiments.runtimes.rows import (
    COMPILED,
    CRASHES,
    DIFFERS,
    INTERPRETER,
    NONE,
    REFUSED,
    SAME,
    FileRow,
    RuntimesResults,
)
from experiments.runtimes.table import runtimes_table
from tests.conftest import long_case
from tests.tones_fixtures import tones_file

HERE = version(LITERT)


def row(number: str, precision: str, least: str, outcome: str, interface=INTERPRETER) -> FileRow:
    runs = outcome in (SAME, DIFFERS)
    return FileRow(
        **{"package": LITERT, "version": number, "interface": interface},
        **{"precision": precision, "least": least, "outcome": outcome},
        product=(0.3 if outcome == DIFFERS else 0.0) if runs else None,
        model=1e-4 if runs else None,
        message=None if runs else "no",
    )


FOUND = RuntimesResults(
    **{"command": "runtimes", "commit": "unknown", "versions": {}, "model": "models/m"},
    hardware=Hardware(cpu="a CPU", vnni=True, cores=2, memory_gb=8.0),
    reference="2.3.0",
    rows=(
        row("1.2.0", "w4", "1.2.0", SAME),
        row("2.3.0", "w4", "1.2.0", SAME),
        row("1.2.0", "w2a8", "1.2.0", REFUSED),
        row("2.1.2", "w2a8", "1.2.0", DIFFERS),
        row("2.10.0", "w2a8", "1.2.0", SAME),
        row("1.2.0", "w2a8", "1.2.0", NONE, COMPILED),
        row("2.1.2", "w2a8", "1.2.0", CRASHES, COMPILED),
    ),
).with_targets()


def test_the_least_version_is_the_one_from_which_on_all_is_the_same():
    assert [(each.precision, each.measured) for each in FOUND.least] == [
        ("w4", "1.2.0"),
        ("w2a8", "2.10.0"),
    ]


def test_what_is_met():
    assert [(each.value, each.target) for each in FOUND.targets] == [(2, 0), (1, 0), (1, 2), (3, 3)]


def test_results_are_read_again_as_they_were_written():
    written = json.loads(json.dumps(dataclasses.asdict(FOUND)))
    assert from_dict(RuntimesResults, written, "runtimes.json") == FOUND
    table = runtimes_table(FOUND)
    assert "| ai-edge-litert 2.1.2 | interpreter | – | **3e-01 (1e-04)** |" in table
    assert "- `no`: ai-edge-litert 1.2.0, interpreter, `w2a8` and 2 more" in table


def test_shares_of_the_range():
    expected = np.array([0.0, 1.0, 4.0])
    assert share_of_range(expected, expected) == 0
    assert share_of_range(np.array([0.0, 1.0, 2.0]), expected) == 0.5
    assert share_of_range(np.array([0.0, np.nan, 4.0]), expected) == 1


@pytest.fixture
def here(monkeypatch, tmp_path) -> Path:
    """A folder in which the LiteRT of this environment counts as installed."""
    monkeypatch.setattr(matrix, "installed", lambda *_: tmp_path)
    return tmp_path


@pytest.mark.parametrize("interface", [INTERPRETER, COMPILED])
def test_files_run_and_what_cannot_is_one_line(here, interface):
    model = here / "w4a8.tflite"
    model.write_bytes(tones_file("ctc").read_bytes())
    product_of(model).write_bytes(b"\0" * 100)
    for path in (model, product_of(model)):
        np.save(path.with_suffix(".npy"), np.ones((198, 80), np.float32))
    runtime = Runtime(LITERT, HERE, interface)
    said = compute(runtime, [product_of(model), model], here)
    assert said[model.stem] is None and said[product_of(model).stem]
    assert len(said[product_of(model).stem].splitlines()) == 1
    refused = row_of(runtime, runtime, model, said, here)
    assert (refused.outcome, refused.product) == (REFUSED, None)
    said[product_of(model).stem] = None
    (here / "outputs" / runtime.name / "w4a8_product.npy").write_bytes(
        (here / "outputs" / runtime.name / "w4a8.npy").read_bytes()
    )
    same = row_of(runtime, runtime, model, said, here)
    assert (same.outcome, same.product, same.model) == (SAME, 0, 0)


def test_a_process_that_dies_is_started_again_behind_its_file(here, monkeypatch, tmp_path):
    script = tmp_path / "run.py"
    script.write_text(
        "import json, os, pathlib, sys\n"
        "for path in map(pathlib.Path, sys.argv[4:]):\n"
        "    if path.stem == 'bad': os.abort()\n"
        "    print(json.dumps({'file': path.stem, 'error': None}), flush=True)\n"
    )
    monkeypatch.setattr(matrix, "RUN", script)
    paths = [tmp_path / f"{name}.tflite" for name in ("a", "bad", "b")]
    said = compute(Runtime(LITERT, HERE, INTERPRETER), paths, here)
    assert said == {"a": None, "bad": f"{CRASHES}: signal 6", "b": None}


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["w4a8s", long_case("float"), long_case("w4a8-b32")])
def test_the_product_of_a_precision(here, precision):
    path = product_of(here / f"{precision}.tflite")
    write_product(path)
    runtime = Runtime(LITERT, HERE, INTERPRETER)
    assert compute(runtime, [path], here) == {path.stem: None}
    assert (
        np.load(here / "outputs" / runtime.name / f"{path.stem}.npy").size
        == 50 * (32 + 33 + 16 + 24 * 4) + 32
    )


@pytest.mark.long
def test_an_older_version_is_installed_and_refuses_two_bits(tmp_path):
    """From the package index: the oldest that is tried, on a product of 4 and one of 2 bits."""
    try:
        oldest = versions()[0]
        installed(LITERT, oldest, tmp_path / "installed")
    except UserError as error:
        pytest.skip(f"no package index: {error}")
    paths = [product_of(tmp_path / f"{precision}.tflite") for precision in ("w4a8", "w2a8")]
    for path in paths:
        write_product(path)
    old, new = (Runtime(LITERT, number, INTERPRETER) for number in (oldest, HERE))
    said = compute(old, paths, tmp_path)
    assert said["w4a8_product"] is None and said["w2a8_product"]
    compute(new, paths, tmp_path)
    outputs = [
        np.load(tmp_path / "outputs" / each.name / "w4a8_product.npy") for each in (old, new)
    ]
    assert share_of_range(*outputs) < 1e-5


def test_a_version_that_there_is_not(tmp_path):
    with pytest.raises(UserError, match="pip install .*ai-edge-litert==0.0.1: ERROR"):
        installed(LITERT, "0.0.1", tmp_path)
