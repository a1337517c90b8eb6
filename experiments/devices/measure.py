"""Files and records, and one process of `tflite-export verify` for each file and processor."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from asr_qat import files
from asr_qat.errors import UserError
from asr_qat.progress import progress
from experiments.devices.cpus import NATIVE, Cpu, cpus
from experiments.devices.emulator import REPOSITORY, python_of
from experiments.devices.rows import UTTERANCES, DeviceRow, row_of
from tflite_export.score.device.record import Record
from tflite_export.score.fresh_process import result_of

MODEL = "models/an4_tiny_float"
SECONDS = (4.0,)  # one signature: an emulated run is slow
PRODUCTS_OF = 20  # utterances
PRECISIONS = ("w8a8", "w4a8", "w2a8", "w4", "w4a8s", "w8a8s", "w4a8-b32", "mixed_4_8")
FULL_INTEGER, TRAINED = "full-integer int8", "w4a8 trained"
VERIFY_FAILED = 3  # exit code of `tflite-export verify`


def prepare_files(work: Path, trained: Path, data: str, quiet: bool) -> dict[str, Path]:
    """Files of every precision with their records, by name; those that are there are kept."""
    paths = {name: work / "files" / f"{name.replace(' ', '_')}.tflite" for name in PRECISIONS}
    paths[FULL_INTEGER] = work / "files" / "full_integer_int8.tflite"
    for name, path in progress(paths.items(), "convert", len(paths), "file", quiet):
        if not path.exists():
            result_of(write_file, name, str(path), data)
    paths[TRAINED] = work / "files" / "w4a8_trained.tflite"
    if not paths[TRAINED].exists():
        _copy(trained, paths[TRAINED])
    for path in progress(paths.values(), "record", len(paths), "file", quiet):
        _record(path, data, UTTERANCES)
    return paths


def whole_test(work: Path, trained: Path, data: str) -> Path:
    """A copy of the trained file with the record of the whole test set."""
    path = work / "whole" / "w4a8_trained.tflite"
    if not path.exists():
        _copy(trained, path)
    _record(path, data, 10_000)
    return path


def write_file(name: str, path: str, data: str) -> None:
    """Convert the model at a precision."""
    if name == FULL_INTEGER:
        from asr_qat.training.calibrated import Calibration
        from tflite_export.convert.full_integer.convert import convert_calibrated

        convert_calibrated(MODEL, path, 8, Calibration(data, 128, 0, True), None, SECONDS, True)
    else:
        from tflite_export.convert.convert import convert

        convert(MODEL, path, name, SECONDS)


def device_row(
    cpu: Cpu | None, name: str, path: Path, work: Path, products_of: int = PRODUCTS_OF
) -> DeviceRow:
    """A file on a processor, None for that of this machine; what was measured before is kept."""
    own = NATIVE if cpu is None else cpu.name
    machine = os.uname().machine if cpu is None else cpu.machine
    kept = work / "reports" / path.parent.name / own / f"{path.stem}.json"
    if kept.exists():
        return row_of(own, machine, name, files.read_json(kept))
    report = verified(cpu, path, work, products_of)
    files.write_json(kept, report)
    return row_of(own, machine, name, report)


def verified(cpu: Cpu | None, path: Path, work: Path, products_of: int) -> dict[str, Any]:
    """What `tflite-export verify --json` says of a file, in a process on a processor.

    Raises:
        UserError: it says nothing, with what it did say.
    """
    command, environment = [sys.executable], {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    if cpu is not None:
        command, environment = python_of(cpu, work)
    command += ["-m", "tflite_export", "verify", str(path), "--json", "--quiet"]
    command += ["--rounds", "1", "--products-of", str(products_of)]
    found = subprocess.run(command, env=environment, capture_output=True, text=True)
    if found.returncode not in (0, VERIFY_FAILED):
        last = (found.stderr.strip().splitlines() or ["nothing said"])[-1]
        where = NATIVE if cpu is None else cpu.name
        raise UserError(f"{path} on {where}: exit code {found.returncode}: {last}")
    report: dict[str, Any] = json.loads(found.stdout)
    return report


def measure(
    names: list[str], paths: dict[str, Path], work: Path, quiet: bool
) -> tuple[DeviceRow, ...]:
    """Every file on this machine and on each of the processors."""
    pairs = [(cpu, name) for cpu in (None, *cpus(names)) for name in paths]
    shown = progress(pairs, "verify", len(pairs), "file", quiet)
    return tuple(device_row(cpu, name, paths[name], work) for cpu, name in shown)


def _copy(source: Path, target: Path) -> None:
    if not source.is_file():
        raise UserError(f"{source}: no such file: run `tflite-export demo`, or give --trained")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def _record(path: Path, data: str, utterances: int) -> None:
    """Make the record of a file on this machine, unless it is there."""
    from tflite_export.score.device_record import make_record

    if not Record.place(path).exists():
        make_record(path, data, utterances=utterances, quiet=True).write(Record.place(path))
