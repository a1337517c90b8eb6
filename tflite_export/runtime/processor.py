"""What tells processors apart that run other kernels: the instructions that they have."""

import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")  # of Linux
FEATURES = ("flags", "Features", "isa")  # what it calls them on x86, ARM and RISC-V
# Those that choose between XNNPACK's kernels, by Linux's names: of x86, then of ARM.
CHOOSING = (
    *("ssse3", "sse4_1", "avx", "f16c", "fma", "avx2", "avx_vnni", "avx512f", "avx512bw"),
    *("avx512vbmi", "avx512_vnni", "avx512_fp16", "amx_int8"),
    *("asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2", "sme", "sme2"),
)


def processor() -> str:
    """The machine and the instructions of its cores, in one line."""
    found = _features()
    if not found:
        return f"{platform.machine()} {platform.processor()}"
    return " ".join([platform.machine(), *found])


def chosen_by() -> str:
    """The machine, and of the instructions of all cores those that XNNPACK has kernels for."""
    return " ".join([platform.machine(), *filter(has_instructions, CHOOSING)])


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
