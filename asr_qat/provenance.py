"""Where a result comes from: command, commit, versions, hardware."""

import importlib.metadata
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

PACKAGES = (
    "asr-qat",
    "tensorflow",
    "tf-keras",
    "tensorflow-model-optimization",
    "tensorflow-io",
    "ai-edge-litert",
    "ai-edge-quantizer",
    "numpy",
    "sentencepiece",
    "jiwer",
)


def provenance(seed: int | None = None) -> dict[str, Any]:
    """What is written beside every result."""
    program = Path(sys.argv[0]).name
    return {
        "command": shlex.join([program, *sys.argv[1:]]),
        "commit": _commit(),
        "versions": {"python": sys.version.split()[0], **_versions()},
        "hardware": hardware(),
        "seed": seed,
    }


def hardware() -> dict[str, Any]:
    """Processor, cores that this process may use, and memory."""
    model = "unknown"
    flags = ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
        if line.startswith("flags"):
            flags = line
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": model,
        "vnni": "vnni" in flags,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory / 2**30, 1),
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _commit() -> str:
    """The commit of the checkout, marked if files that are tracked differ from it."""
    root = Path(__file__).resolve().parent.parent
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return described.stdout.strip()
