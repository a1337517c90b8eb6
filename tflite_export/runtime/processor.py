"""What tells processors apart that run other kernels: the instructions that they have."""

import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")  # of Linux
FEATURES = ("flags", "Features", "isa")  # what it calls them on x86, ARM and RISC-V


def processor() -> str:
    """The machine and the instructions of its cores, in one line."""
    found = _features()
    if not found:
        return f"{platform.machine()} {platform.processor()}"
    return " ".join([platform.machine(), *found])


def has_instructions(name: str) -> bool:
    """Whether all cores have some instructions, by Linux's name; False where that is not known."""
    found = _features()
    return bool(found) and all(name in each.split() for each in found)


def _features() -> list[str]:
    """The different lists of instructions that the cores have; one as a rule."""
    try:
        lines = CPUINFO.read_text().splitlines()
    except OSError:
        return []
    pairs = (line.partition(":") for line in lines)
    return sorted({value.strip() for name, _, value in pairs if name.strip() in FEATURES})
