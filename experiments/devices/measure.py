"""Files and records, and one process of `tflite-export verify` for each file and processor."""

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from asr_qat import files
from asr_qat.corpora.recordings import recordings
from asr_qat.corpora.utterance import Utterance
from asr_qat.errors import UserError
from asr_qat.progress import progress
from experiments.devices.cpus import NATIVE, Cpu, cpus
from experiments.devices.emulator import REPOSITORY, python_of
from experiments.devices.rows import TRAINED, UTTERANCES, DeviceRow, row_of, together
from tflite_export.score.device.record import Record
from tflite_export.score.device_record import make_record, spread
from tflite_export.score.fresh_process import result_of

MODEL = "models/an4_tiny_float"
SECONDS = (4.0,)  # one signature: an emulated run is slow
PRODUCTS_OF = 5  # utterances: tens of thousands of rows
FEW = 5  # utterances of a file that is not the trained one, on an emulated processor
CALIBRATED_ON = 16  # pieces of speech
PRECISIONS = ("w8a8", "w4a8", "w2a8", "w4", "w4a8s", "w4a8-b32")
FULL_INTEGER = "full-integer int8"
PARTS = 4  # of the whole test set
VERIFY_FAILED = 3  # exit code of `tflite-export verify`


def prepare_files(work: Path, trained: Path, data: str, quiet: bool) -> dict[str, Path]:
    """Files of every precision with their records, by name; those that are there are kept."""
    paths = {name: work / "files" / f"{name.replace(' ', '_')}.tflite" for name in PRECISIONS}
    paths[FULL_INTEGER] = work / "files" / "full_integer_int8.tflite"
    for name, path in progress(paths.items(), "convert", len(paths), "file", quiet):
        if not path.exists():
            result_of(write_file, name, str(path), data)
    paths[TRAINED] = work / "files" / "w4a8_trained.tflite"
    _copy(trained, paths[TRAINED])
    items = spread(recordings(data), UTTERANCES)
    for path in progress(paths.values(), "record", len(paths), "file", quiet):
        _record(path, items)
    return paths


def whole_test(cpu: Cpu, work: Path, trained: Path, data: str) -> DeviceRow:
    """The trained file on the whole test set, in parts of it that are kept one by one."""
    items, reports = recordings(data), []
    for part in range(PARTS):
        path = work / f"part_{part}" / "w4a8_trained.tflite"
        _copy(trained, path)
        _record(path, items[part::PARTS])
        reports.append(kept_report(cpu, path, work, 0, len(items)))
    name = f"{TRAINED}, whole test set"
    return row_of(cpu.name, cpu.machine, name, together(reports))


def write_file(name: str, path: str, data: str) -> None:
    """Convert the model at a precision."""
    from asr_qat.training.calibrated import Calibration

    calibration = Calibration(data, CALIBRATED_ON, 0, True)
    if name == FULL_INTEGER:
        from tflite_export.convert.full_integer.convert import convert_calibrated

        convert_calibrated(MODEL, path, 8, calibration, None, SECONDS, True)
    else:
        from tflite_export.convert.convert import convert

        static = name.endswith("a8s")  # ranges that have to be measured
        convert(MODEL, path, name, SECONDS, calibration if static else None)


def device_row(cpu: Cpu | None, name: str, path: Path, work: Path) -> DeviceRow:
    """A file on a processor, None for that of this machine."""
    own, machine = (NATIVE, platform.machine()) if cpu is None else (cpu.name, cpu.machine)
    count = UTTERANCES if cpu is None or name == TRAINED else FEW
    return row_of(own, machine, name, kept_report(cpu, path, work, PRODUCTS_OF, count))


def kept_report(
    cpu: Cpu | None, path: Path, work: Path, products_of: int, utterances: int
) -> dict[str, Any]:
    """What `verified` gives; what was measured before is kept."""
    own = NATIVE if cpu is None else cpu.name
    kept = work / "reports" / path.parent.name / own / f"{path.stem}.json"
    if not kept.exists():
        files.write_json(kept, verified(cpu, path, work, products_of, utterances))
    found: dict[str, Any] = files.read_json(kept)
    return found


def verified(
    cpu: Cpu | None, path: Path, work: Path, products_of: int, utterances: int
) -> dict[str, Any]:
    """What `tflite-export verify --json` says of a file, in a process on a processor.

    Raises:
        UserError: it says nothing, with what it did say.
    """
    command, environment = [sys.executable], {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    if cpu is not None:
        command, environment = python_of(cpu, work)
    command += ["-m", "tflite_export", "verify", str(path), "--json", "--quiet"]
    command += ["--rounds", "1", "--products-of", str(products_of)]
    command += ["--utterances", str(utterances)]
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
    if target.exists():
        return
    if not source.is_file():
        raise UserError(f"{source}: no such file: run `tflite-export demo`, or give --trained")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def _record(path: Path, items: list[Utterance]) -> None:
    """Make the record of a file on this machine, unless it is there."""
    if not Record.place(path).exists():
        make_record(path, items, quiet=True).write(Record.place(path))
