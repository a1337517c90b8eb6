"""A Python with this project's runtime for an emulated processor, made of packages alone.

For ARM: QEMU's user mode runs programs of another processor one by one, without a system of its
own. Debian's Python for arm64 and the libraries that it needs are unpacked into a folder, the
wheels for aarch64 into another. Nothing is installed, and no rights are needed. For x86: the Python
that runs this.
"""

import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

from asr_qat.errors import UserError, require
from experiments.devices.cpus import ARM, Cpu

REPOSITORY = Path(__file__).resolve().parents[2]
WHEELS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux_2_17_aarch64")
PACKAGES = ("python3", "libstdc++6")  # of Debian, with all that they depend on
LINKED = ("usr", "lib", "bin", "etc")  # of the unpacked ones, for each processor


def missing(machine: str) -> str | None:
    """What emulation lacks here, in one line; None if nothing."""
    if qemu(machine) is None:
        return f"no qemu-{machine}: apt-get install qemu-user-static"
    if machine == ARM and not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return "no apt-get: Python for ARM comes from Debian's packages"
    return None


def qemu(machine: str) -> str | None:
    """The emulator of user mode, if it is installed."""
    return shutil.which(f"qemu-{machine}-static") or shutil.which(f"qemu-{machine}")


def python_of(cpu: Cpu, work: Path) -> tuple[list[str], dict[str, str]]:
    """The beginning of a command that runs Python on a processor, and its environment.

    Args:
        cpu: that is emulated.
        work: folder for what is fetched, once.

    Raises:
        UserError: see `missing`; or something cannot be fetched.
    """
    lacking = missing(cpu.machine)
    if lacking is not None:
        raise UserError(lacking)
    root = work / cpu.name
    cpu.write_files(root)
    # Temporary files away from those of others, who would take them for left: when a process began
    # is another number inside of the emulator.
    temporary = root / "tmp"
    temporary.mkdir(exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(temporary.resolve())}
    emulator = [str(qemu(cpu.machine)), "-cpu", cpu.option, "-L", str(root)]
    if cpu.machine != ARM:
        return [*emulator, sys.executable], environment
    unpacked = debian_packages(work / "debian_arm64")
    for name in LINKED:
        if (unpacked / name).exists() and not (root / name).exists():
            (root / name).symlink_to((unpacked / name).resolve())
    (python,) = (unpacked / "usr/bin").glob("python3.[0-9]*")
    wheels = arm_wheels(work / "wheels_aarch64", python.name.removeprefix("python"))
    environment["PYTHONPATH"] = os.pathsep.join([str(wheels.resolve()), str(REPOSITORY)])
    return [*emulator, str(python)], environment


def debian_packages(folder: Path) -> Path:
    """Python for arm64 from the Debian mirrors of this machine, unpacked into a folder."""
    if folder.exists():
        return folder
    state = folder.with_name(f"{folder.name}_apt").resolve()
    for name in ("lists/partial", "archives/partial"):
        (state / name).mkdir(parents=True, exist_ok=True)
    (state / "status").touch()  # nothing is installed there
    options = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "Dir::State": state,
        "Dir::State::lists": state / "lists",
        "Dir::State::status": state / "status",
        "Dir::Cache": state,
        "Dir::Cache::archives": state / "archives",
        "Acquire::Languages": "none",
    }
    apt = ["apt-get", "-q", *(f"-o{name}={value}" for name, value in options.items())]
    _run([*apt, "update"])
    wanted = ["install", "--yes", "--no-install-recommends", "--download-only", *PACKAGES]
    _run([*apt, *wanted])
    unpacked = folder.with_name(f"{folder.name}_unpacked")
    for package in sorted((state / "archives").glob("*.deb")):
        _run(["dpkg-deb", "-x", str(package), str(unpacked)])
    unpacked.rename(folder)  # whole or not at all
    return folder


def arm_wheels(folder: Path, version: str) -> Path:
    """What the runtime needs, as wheels for aarch64 and a version of Python, in a folder."""
    if folder.exists():
        return folder
    setup = configparser.ConfigParser()
    setup.read(REPOSITORY / "setup.cfg")
    needed = setup["options"]["install_requires"].strip().split("\n")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary=:all:"]
    command += ["--python-version", version, "-c", str(REPOSITORY / "constraints.txt")]
    for platform in WHEELS:
        command += ["--platform", platform]
    fetched = folder.with_name(f"{folder.name}_fetched")
    _run([*command, "--target", str(fetched), *needed])
    fetched.rename(folder)
    return folder


def _run(command: list[str]) -> None:
    found = subprocess.run(command, capture_output=True, text=True)
    last = (found.stderr.strip().splitlines() or [""])[-1]
    require(found.returncode == 0, f"{' '.join(command[:2])}: failed: {last}")
