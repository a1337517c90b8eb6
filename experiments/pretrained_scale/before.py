"""Conversions by an earlier commit and by this code, in turn."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from asr_qat.errors import UserError
from asr_qat.progress import progress
from experiments.pretrained_scale.networks import SECONDS
from experiments.pretrained_scale.rows import BeforeRow

COMMIT = "f88f38edf02c"  # the last one whose conversions went over all weights in float
ROOT = Path(__file__).resolve().parents[2]
# The configuration of a model has more keys since then: each code reads its own.
WRITE = """
import sys
from pathlib import Path
from asr_qat.text.tokenizer import Tokenizer
from experiments.scale.scale import write_initial
write_initial("ctc", sys.argv[1], Tokenizer.load(sys.argv[2]), Path(sys.argv[3]), 0)
"""


def beside_before(
    preset: str, precision: str, tokenizer: Path, rounds: int, quiet: bool
) -> BeforeRow:
    """Convert a preset with initial weights by both.

    Args:
        preset: of a CTC model.
        precision: by name.
        tokenizer: SentencePiece model; its size is the number of outputs.
        rounds: conversions by each.
        quiet: no progress.

    Raises:
        UserError: not a checkout with that commit, or a conversion failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        earlier = Path(folder) / "earlier"
        _run(ROOT, ["git", "worktree", "add", "--quiet", "--detach", str(earlier), COMMIT])
        try:
            roots = {"before": earlier, "now": ROOT}
            for name, root in roots.items():
                words = [preset, str(tokenizer.resolve()), str(Path(folder) / name)]
                _run(root, [sys.executable, "-c", WRITE, *words])
            found: dict[str, list[tuple[float, float]]] = {name: [] for name in roots}
            for _ in progress(range(rounds), "convert in turn", rounds, "round", quiet):
                for name, root in roots.items():
                    model = Path(folder) / name
                    found[name].append(_convert(root, model, precision))
        finally:
            _run(ROOT, ["git", "worktree", "remove", "--force", str(earlier)])
    before, now = np.array(found["before"]), np.array(found["now"])
    return BeforeRow(
        preset=preset,
        precision=precision,
        commit=COMMIT,
        before_seconds=tuple(before[:, 0].tolist()),
        seconds=tuple(now[:, 0].tolist()),
        before_peak_mb=float(before[:, 1].max()),
        peak_mb=float(now[:, 1].max()),
        time_ratio=float(np.median(now[:, 0] / before[:, 0])),
        memory_ratio=float(now[:, 1].max() / before[:, 1].max()),
    )


def _convert(root: Path, model: Path, precision: str) -> tuple[float, float]:
    """Seconds and peak memory, MB (2^20), of a conversion by the code in `root`."""
    given = {
        "model_dir": str(model),
        "output": str(model.with_suffix(".tflite")),
        "precision": precision,
        "seconds": [SECONDS],
    }
    process = [sys.executable, "-m", "tflite_export.score.fresh_process"]
    started = time.monotonic()
    said = _run(root, [*process, "tflite_export.convert.convert", "convert", json.dumps(given)])
    return time.monotonic() - started, json.loads(said.splitlines()[-1])["peak_mb"]


def _run(root: Path, command: list[str]) -> str:
    """Run a command with the code in `root`: what it prints."""
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(f"{root}: {command[0]} failed: {last}")
    return done.stdout
