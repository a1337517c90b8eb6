"""Files and records, and one process of `tflite-export verify` for each file and processor."""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from asr_qat import files
from asr_qat.corpora.recordings import recordings
from asr_qat.corpora.utterance import Utterance
from asr_qat.errors import UserError, require
from asr_qat.progress import progress
from experiments.devices.cpus import NATIVE, Cpu, cpus
from experiments.devices.emulator import REPOSITORY, python_of
from experiments.devices.rows import TRAINED, UTTERANCES, DeviceRow, row_of, together
from experiments.made_from import require_made_from
from tflite_export.score.device.record import Record
from tflite_export.score.device_record import make_record, spread
from tflite_export.score.fresh_process import result_of

MODEL = "models/an4_tiny_float"
SECONDS = (4.0,)  # one signature: an emulated run is slow
PRODUCTS_OF = 3  # utterances: tens of thousands of rows
FEW = 3  # utterances of a file that is not the trained one, on an emulated processor
CALIBRATED_ON = 16  # pieces of speech
FULL_INTEGER = "full_integer_int8"
PRECISIONS = ("w8a8", "w4a8", "w2a8", "w4", "w4a8s", "w4a8-b32", FULL_INTEGER)
PARTS = 4  # of the whole test set
VERIFY_FAILED = 3  # exit code of `tflite-export verify`


def prepare_files(
    names: list[str], work: Path, trained: Path, data: str, quiet: bool
) -> dict[str, Path]:
    """Files with their records by name, the trained one last; those that are there are kept."""
    require_made_from(MODEL, work)
    paths = {name: work / "files" / f"{name}.tflite" for name in names}
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
    items = recordings(data)
    reports: list[dict[str, Any]] = []
    for part in range(PARTS):
        path = work / f"part_{part}" / "w4a8_trained.tflite"
        _copy(trained, path)
        _record(path, items[part::PARTS])
        reports += verify_files(cpu, [path], work, 0, len(items))
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


def verify_files(
    cpu: Cpu | None, paths: list[Path], work: Path, products_of: int, utterances: int
) -> list[dict[str, Any]]:
    """What `tflite-export verify --json` says of files; what was measured before is kept.

    One process verifies them all: an emulated Python takes long to start.

    Args:
        cpu: None for the processor of this machine.
        paths: the files.
        work: folder of the reports.
        products_of: utterances whose products are compared.
        utterances: that are recognised.

    Raises:
        UserError: it says nothing of one, with what it did say.
    """
    kept = [_kept(cpu, path, work) for path in paths]
    missing = [(path, place) for path, place in zip(paths, kept, strict=True) if not place.exists()]
    if missing:
        command, environment = [sys.executable], {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        if cpu is not None:
            command, environment = python_of(cpu, work)
        command += ["-m", "tflite_export", "verify", *(str(path) for path, _ in missing)]
        command += ["--json", "--quiet", "--rounds", "1", "--products-of", str(products_of)]
        command += ["--utterances", str(utterances)]
        _run(command, environment, [place for _, place in missing])
    return [files.read_json(place) for place in kept]


def _run(command: list[str], environment: dict[str, str], places: list[Path]) -> None:
    """Run a command and write each line that it prints as soon as it is there."""
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line, place in zip(process.stdout, places, strict=False):
                files.write_json(place, json.loads(line))
        except BaseException:  # an interrupt, too
            process.kill()
            raise
        code = process.wait()
        errors.seek(0)
        last = (errors.read().strip().splitlines() or ["nothing said"])[-1]
    require(code in (0, VERIFY_FAILED), f"{' '.join(command[:4])}: exit code {code}: {last}")


def _kept(cpu: Cpu | None, path: Path, work: Path) -> Path:
    return work / "reports" / path.parent.name / _name(cpu) / f"{path.stem}.json"


def _name(cpu: Cpu | None) -> str:
    return NATIVE if cpu is None else cpu.name


def measure(
    names: list[str], paths: dict[str, Path], work: Path, quiet: bool
) -> tuple[DeviceRow, ...]:
    """Every file on this machine and on each of the processors."""
    rows: list[DeviceRow] = []
    order = [TRAINED, *(name for name in paths if name != TRAINED)]
    every = (None, *cpus(names))
    for cpu in progress(every, "verify", len(every), "processor", quiet):
        machine = platform.machine() if cpu is None else cpu.machine
        few = UTTERANCES if cpu is None else FEW
        reports = verify_files(cpu, [paths[TRAINED]], work, PRODUCTS_OF, UTTERANCES)
        reports += verify_files(cpu, [paths[n] for n in order[1:]], work, PRODUCTS_OF, few)
        for name, report in zip(order, reports, strict=True):
            rows.append(row_of(_name(cpu), machine, name, report))
    return tuple(rows)


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
