"""Emulated processors: what they show of themselves, rows, targets, and a file on two of them."""

import dataclasses
import json
import shutil

import pytest
import soundfile

from asr_qat.corpora.recordings import recordings
from asr_qat.errors import UserError
from asr_qat.provenance import Provenance
from experiments.devices.cpus import CPUS, cpus
from experiments.devices.emulator import missing, python_of
from experiments.devices.measure import verified
from experiments.devices.rows import TRAINED, DevicesResults, row_of, targets
from experiments.devices.table import devices_table
from tests.conftest import SAMPLE_RATE, utterance
from tests.tones_fixtures import tones_file
from tflite_export.runtime import processor
from tflite_export.score.device.record import Record
from tflite_export.score.device_record import make_record

REPORT = {
    "here": {"processor": "aarch64 i8mm"},
    "signatures": [{"operators": 8, "delegated": 6}, {"operators": 2, "delegated": 2}],
    "products": [
        {"kind": kind, "rows": 10, "ties": 1, "unexplained": 0, "max_error": error, "bound": 1e-6}
        for kind, error in (("dynamic", 1e-7), ("dynamic", 2e-7), ("static", 0.0))
    ],
    "utterances": 20,
    "changed": [{}],
    "floor": {"changes": [0, 1]},
    "mean_logits": 1e-3,
    "max_logits": 0.1,
    "within_bounds": True,
}


def found(rows):
    results = DevicesResults(
        **vars(Provenance.of_this_run(0)), data="an4 (test)", rows=tuple(rows), whole=rows[-1]
    )
    return dataclasses.replace(results, targets=targets(results))


def test_rows_and_targets():
    rows = [row_of("native", "x86_64", TRAINED, REPORT)]
    rows += [row_of(cpu.name, cpu.machine, TRAINED, REPORT) for cpu in CPUS]
    assert [kind.products for kind in rows[0].kinds] == [2, 1]
    assert rows[0].kinds[0].max_error == 2e-7 and rows[0].kinds[0].ties == 2
    assert rows[0].delegated == 0.8
    results = found(rows)
    assert all(row.met for row in results.targets)
    assert "6 of 6" not in devices_table(results)  # a target for each processor, too
    assert f"{len(results.targets)} of {len(results.targets)} targets met" in devices_table(results)
    worse = json.loads(json.dumps(REPORT))
    worse["products"][0]["unexplained"] = 1
    worse["products"][2]["max_error"] = 1e-3
    worse["changed"] *= 2
    missed = [
        r.name
        for r in found([*rows[:-1], row_of("i8mm", "aarch64", "f", worse)]).targets
        if not r.met
    ]
    assert [name.split(":")[0] for name in missed] == [
        "x86 processors without AVX-512",  # one of them is no longer there
        "i8mm",
        "static products",
        "i8mm, f",
    ]


def test_what_a_processor_shows(tmp_path, monkeypatch):
    for cpu in CPUS:
        cpu.write_files(tmp_path / cpu.name)
        monkeypatch.setattr(processor, "CPUINFO", tmp_path / cpu.name / "proc/cpuinfo")
        assert not processor.has_instructions("avx512_vnni")
        assert processor.has_instructions("i8mm") == (cpu.name == "i8mm")
        assert processor.has_instructions("avx2") == (cpu.name == "haswell")
    assert "ssse3" in processor.chosen_by()
    assert (tmp_path / "i8mm/sys/devices/system/cpu/possible").read_text() == "0\n"


def test_no_emulator(monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    (cpu,) = cpus(["haswell"])
    with pytest.raises(UserError, match="no qemu-x86_64: apt-get install qemu-user-static"):
        python_of(cpu, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("name", ["i8mm", "haswell"])
def test_a_file_on_an_emulated_processor(name, tmp_path, shared_folder):
    (cpu,) = cpus([name])
    lacking = missing(cpu.machine)
    if lacking:
        pytest.skip(lacking)
    try:
        python_of(cpu, shared_folder / "devices")
    except UserError as error:  # no mirror of Debian's packages, say
        pytest.skip(str(error))
    path, recording = tmp_path / "tones.tflite", tmp_path / "tones.wav"
    shutil.copy(tones_file("ctc"), path)
    soundfile.write(recording, utterance(["TWO", "ONE"], 3), SAMPLE_RATE)
    manifest = tmp_path / "spoken.jsonl"
    manifest.write_text(json.dumps({"audio_filepath": recording.name, "text": "TWO ONE"}) + "\n")
    make_record(path, recordings(manifest), quiet=True).write(Record.place(path))
    report = verified(cpu, path, shared_folder / "devices", products_of=1, utterances=1)
    assert report["within_bounds"], report["failures"]
    assert report["here"]["processor"].startswith(cpu.machine)
    assert report["here"]["xnnpack"] and not report["changed"]
    assert all(each["rows"] and not each["unexplained"] for each in report["products"])
