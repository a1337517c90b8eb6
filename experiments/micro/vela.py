"""Vela, Arm's compiler for the Ethos-U (the package ethos-u-vela), and what it says of a file.

Times are its estimates of a model of the hardware, not measurements.
"""

import csv
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

from asr_qat.errors import UserError, require
from experiments.micro.rows import NpuRow

# Accelerators, with 500 MHz, SRAM and a flash for the weights: systems of Vela's own vela.ini.
SYSTEMS = {
    "ethos-u55-128": "Ethos_U55_High_End_Embedded",
    "ethos-u65-256": "Ethos_U65_Embedded",
    "ethos-u85-256": "Ethos_U85_SYS_Flash_High",
}
MEMORY_MODE = "Shared_Sram"
_OPERATOR = re.compile(r"^ +(CPU|NPU): (\w+) = ", re.MULTILINE)


def compiled(path: Path, accelerator: str, folder: Path) -> NpuRow:
    """Compile a file for an accelerator.

    Args:
        path: full-integer `.tflite` of one signature.
        accelerator: one of `SYSTEMS`.
        folder: for what Vela writes.

    Raises:
        UserError: Vela is not installed, or refuses the file.
    """
    require(bool(importlib.util.find_spec("ethosu")), "needs Vela: pip install ethos-u-vela")
    words = ["--accelerator-config", accelerator, "--system-config", SYSTEMS[accelerator]]
    words += ["--memory-mode", MEMORY_MODE, "--config", "Arm/vela.ini", "--show-cpu-operations"]
    words += ["--output-dir", str(folder), str(path)]
    command = [sys.executable, "-m", "ethosu.vela", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        said = lines[-1] if lines else f"ended with exit code {done.returncode}"
        raise UserError(f"{path}: Vela refuses it for {accelerator}: {said}")
    operators = _OPERATOR.findall(done.stdout)
    (summary,) = folder.glob(f"{path.stem}_summary_*.csv")
    with summary.open(newline="") as file:
        (figures,) = csv.DictReader(file)
    return NpuRow(
        accelerator=accelerator,
        system=SYSTEMS[accelerator],
        npu_operators=sum(place == "NPU" for place, _ in operators),
        cpu_operators=tuple(name for place, name in operators if place == "CPU"),
        weights_kib=int(figures["total_original_weights"]) / 1024,
        encoded_kib=int(figures["total_npu_encoded_weights"]) / 1024,
        flash_kib=float(figures["off_chip_flash_memory_used"]),
        sram_kib=float(figures["sram_memory_used"]),
        estimated_ms=1000 * float(figures["inference_time"]),
    )
