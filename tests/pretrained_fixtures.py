"""Checkpoints of `tests/data/pretrained`, and how their import is refused.

The networks have random weights. `experiments/pretrained` made them:
for K in ctc fastconformer-ctc local-ctc hybrid rnnt tdt
`nemo_reference.py K tiny --gzip --seconds 0.5 --out K`, for K in ctc tdt
`hf_reference.py K ctc.nemo --seconds 0.5 --out hf_K`.
"""

import contextlib
import io
import sys
from pathlib import Path

import pytest

from asr_qat import cli

DATA = Path(__file__).parent / "data" / "pretrained"


def checkpoint(name: str) -> Path:
    return DATA / name if name.startswith("hf_") else DATA / f"{name}.nemo"


def run(*words) -> tuple[int, str]:
    """Exit code of a command, and what it said on standard error."""
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(io.StringIO()) as said:
        patch.setattr(sys, "argv", ["asr-qat", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    return ended.value.code, said.getvalue()


def refusal(path: Path, folder: Path) -> str:
    """The one line with which a checkpoint is refused; nothing is written."""
    before = sorted(folder.rglob("*"))
    code, said = run("import", path, "--out", folder / "refused", "--quiet")
    assert code == 1
    assert said.startswith("asr-qat: error: ") and said.count("\n") == 1
    assert sorted(folder.rglob("*")) == before
    return said
