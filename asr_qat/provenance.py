"""Where a result comes from: command, commit, versions, hardware."""

import dataclasses
import importlib.metadata
import platform
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from asr_qat.cores import usable_cores

PACKAGE = Path(__file__).resolve().parent
CPUINFO = Path("/proc/cpuinfo")  # of Linux
RESULTS = "results"  # at the top of the repository: written by the code, not a part of it
PACKAGES = (
    "asr-qat",
    "tensorflow",
    "tf-keras",
    "tensorflow-model-optimization",
    "ai-edge-litert",
    "litert-quantizer",
    "numpy",
    "sentencepiece",
    "jiwer",
    "regex",
    "whisper-normalizer",
    "torch",  # of a peer in benchmarks, where it is installed
    "torchaudio",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hardware:
    """What a result was measured on.

    Attributes:
        cpu: model name of the processor.
        vnni: whether an x86 processor has dot products of 8-bit integers; None for others.
        cores: that the process could use.
        memory_gb: of the machine, GB (2^30).
    """

    cpu: str
    vnni: bool | None
    cores: int
    memory_gb: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where a result comes from; every class of results has these fields.

    Attributes:
        command: as it was typed.
        commit: of the code, with `-dirty` if it was changed, or `unknown`.
        versions: of Python and of packages, by name.
        hardware: that it was measured on.
        seed: of all that is drawn, None if nothing is.
    """

    command: str
    commit: str
    versions: dict[str, str]
    hardware: Hardware
    seed: int | None = None

    @classmethod
    def of_this_run(cls, seed: int | None = None) -> "Provenance":
        """That of results of this process."""
        return cls(
            command=command_line(),
            commit=code_commit(),
            versions={"python": sys.version.split()[0], **_versions()},
            hardware=hardware(),
            seed=seed,
        )


def provenance(seed: int | None = None) -> dict[str, Any]:
    """`Provenance.of_this_run` as it is written beside a result."""
    return dataclasses.asdict(Provenance.of_this_run(seed))


def command_line() -> str:
    """The command of this process, as it was typed."""
    return shlex.join([*_program(Path(sys.argv[0])), *sys.argv[1:]])


def code_commit() -> str:
    """The commit of this checkout; see `Provenance`."""
    return _commit(PACKAGE)


def _program(path: Path) -> tuple[str, ...]:
    """The command: `asr-qat` for `python -m asr_qat.cli` too; of other packages as they are run."""
    if path.name == "__main__.py" and path.is_relative_to(PACKAGE.parent):
        return "python", "-m", ".".join(path.parent.relative_to(PACKAGE.parent).parts)
    return (path.parent.name.replace("_", "-") if path.name == "cli.py" else path.name,)


def hardware() -> Hardware:
    """Processor, cores that this process may use, and memory."""
    import psutil  # not for those who only want to know the command

    about = _cpuinfo()
    flags = about.get("flags")
    return Hardware(
        cpu=about.get("model name") or platform.processor() or platform.machine() or "unknown",
        vnni=None if flags is None else "vnni" in flags,
        cores=usable_cores(),
        memory_gb=round(psutil.virtual_memory().total / 2**30, 1),
    )


def _cpuinfo() -> dict[str, str]:
    """What Linux says of the last processor, by name; empty on other systems."""
    try:
        lines = CPUINFO.read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in lines)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _commit(package: Path) -> str:
    """The commit of the checkout, marked if files that are tracked differ from it.

    Results do not count: a study writes many, and the code that makes them stays the same.
    Unknown unless `package` is tracked at the top of its repository: it may be installed
    inside that of somebody else.
    """
    own = f"{package.name}/__init__.py"
    try:
        if _git(package.parent, "ls-files", "--full-name", "--", own) != own:
            return "unknown"
        commit = _git(package.parent, "describe", "--always", "--abbrev=12")
        code = ("--untracked-files=no", "--", ".", f":(exclude){RESULTS}")
        return f"{commit}-dirty" if _git(package.parent, "status", "--porcelain", *code) else commit
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(folder: Path, *words: str) -> str:
    command = ["git", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()
