"""The commands of the README and of the tutorial, from top to bottom, with a few steps each."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from tests.docs_pages import PROGRAMS, blocks, commands, titled
from tests.training_fixtures import REPOSITORY

FEW_STEPS = "--set steps=20 evaluate_every=10 optimizer.schedule.warmup=2"
LONG = 900  # seconds that no single command may take

pytestmark = pytest.mark.long


def run_page(page: str, folder: Path) -> None:
    """Run all commands and Python examples of a page in `folder`.

    What installs something or runs `make` is left out.

    Raises:
        AssertionError: a command failed, with what it said.
    """
    for name in ("configs", "data", "models"):
        (folder / name).symlink_to(REPOSITORY / name)
    for name, text in titled(page).items():
        (folder / name).write_text(text)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(REPOSITORY)}
    for block in blocks(page):
        lines = [c.line for c in commands(block) if c.program in PROGRAMS]
        if block.language == "python":
            (folder / "example.py").write_text(block.text)
            lines = ["python example.py"]
        for line in lines:
            if line.split()[1] in ("train", "quantize"):
                line = f"{line} {FEW_STEPS}"
            done = subprocess.run(
                line, shell=True, cwd=folder, env=environment, timeout=LONG,
                capture_output=True, text=True,
            )  # fmt: skip
            assert done.returncode == 0, f"{page}: {line}\n{done.stdout}\n{done.stderr}"


def test_readme(synthetic_corpus, tmp_path):
    shutil.copytree(synthetic_corpus, tmp_path / "my_speech")
    shutil.copy(next(synthetic_corpus.glob("test/*.wav")), tmp_path / "recording.wav")
    run_page("README.md", tmp_path)


def test_tutorial(an4_audio, tmp_path):
    soundfile.write(tmp_path / "recording.wav", an4_audio[0], 16000)
    run_page("docs/tutorial.md", tmp_path)
