"""Checksums of folders: what changed is named, folders without are read."""

import re
import subprocess
from pathlib import Path

import pytest

from asr_qat import folder_sums
from asr_qat.errors import UserError
from asr_qat.folder_sums import SUMS

REPOSITORY = Path(__file__).parent.parent
MODELS = sorted(path.parent for path in (REPOSITORY / "models").glob("*/config.json"))


@pytest.fixture
def folder(tmp_path):
    for name in ("a.json", "b.bin", "new.txt"):
        (tmp_path / name).write_text(name)
    folder_sums.write(tmp_path, ["a.json", "b.bin"])
    return tmp_path


def test_files_as_they_were_written(folder):
    assert folder_sums.check(folder, "a.json", "b.bin")
    done = subprocess.run(
        ["sha256sum", "--check", SUMS], cwd=folder, capture_output=True, text=True
    )
    assert done.stdout == "a.json: OK\nb.bin: OK\n"


def test_a_file_that_changed(folder):
    (folder / "b.bin").write_text("other")
    assert folder_sums.check(folder, "a.json")
    with pytest.raises(
        UserError, match=f"^{re.escape(str(folder))}/b.bin: damaged .*: copy {folder}"
    ):
        folder_sums.check(folder, "a.json", "b.bin")


@pytest.mark.parametrize("content", [b"", b"rubbish\n", b"\xff", b"\0" * 100, b"x" * (2 << 20)])
def test_damaged_checksums(folder, content):
    (folder / SUMS).write_bytes(content)
    with pytest.raises(UserError, match=SUMS) as caught:
        folder_sums.check(folder, "a.json")
    assert "\n" not in str(caught.value)


def test_a_file_without_a_checksum(folder):
    with pytest.raises(UserError, match=f"{SUMS}: damaged, or has no line for new.txt"):
        folder_sums.check(folder, "new.txt")


def test_a_folder_without_checksums(folder):
    folder_sums.begin(folder)
    folder_sums.begin(folder)
    assert not folder_sums.check(folder, "a.json", "none")


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.name)
def test_models_of_the_repository(model):
    names = ("config.json", "tokenizer.model", "stats.json", "model.weights.h5")
    assert folder_sums.check(model, *names), "see `make checksums`"
