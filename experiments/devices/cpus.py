"""The processors that files are verified on, and what each says of itself.

User-mode emulation computes with the instructions of a processor, but shows the `/proc` and `/sys`
of the machine below it. LiteRT reads both: those of an x86 machine end an ARM process. So each
processor has files of its own there, of one core.
"""

import dataclasses
from pathlib import Path

ARM, X86 = "aarch64", "x86_64"
_ARMV8 = "fp asimd aes pmull sha1 sha2 crc32"
_DOTPROD = f"{_ARMV8} atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"
SYSTEM = "sys/devices/system/cpu"


@dataclasses.dataclass(frozen=True)
class Cpu:
    """A processor of QEMU's.

    Attributes:
        name: short.
        machine: `ARM` or `X86`.
        option: `-cpu` of QEMU.
        instructions: those that matter, by Linux's names.
        part: Arm's number of a core of this kind, for XNNPACK's choice of kernels.
    """

    name: str
    machine: str
    option: str
    instructions: str
    part: str = ""

    def cpuinfo(self) -> str:
        """What Linux would say in `/proc/cpuinfo`."""
        if self.machine == X86:
            return f"processor\t: 0\nflags\t\t: {self.instructions}\n\n"
        return (
            f"processor\t: 0\nFeatures\t: {self.instructions}\nCPU implementer\t: 0x41\n"
            f"CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: {self.part}\n"
            "CPU revision\t: 0\n\n"
        )

    def write_files(self, root: Path) -> None:
        """Write what takes the place of the machine's own `/proc` and `/sys`."""
        contents = {f"{SYSTEM}/{name}": "0\n" for name in ("possible", "present", "online")}
        contents["proc/cpuinfo"] = self.cpuinfo()
        for name, content in contents.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)


# The third ARM one has i8mm, as those of phones since 2022, and no SME, see docs/how-to/devices.md.
CPUS = (
    Cpu("cortex-a53", ARM, "cortex-a53", _ARMV8, "0xd03"),
    Cpu("cortex-a76", ARM, "cortex-a76", _DOTPROD, "0xd0b"),
    Cpu("i8mm", ARM, "max,sme=off", f"{_DOTPROD} sve i8mm bf16", "0xd40"),
    Cpu("haswell", X86, "Haswell", "ssse3 sse4_1 avx f16c fma avx2"),
    Cpu("nehalem", X86, "Nehalem", "ssse3 sse4_1"),
)
I8MM = "i8mm"
NATIVE = "native"


def cpus(names: list[str]) -> list[Cpu]:
    """Those with some names, in the order of `CPUS`."""
    return [cpu for cpu in CPUS if cpu.name in names]
