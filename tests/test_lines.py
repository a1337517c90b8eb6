"""Lines of a user's files end at a line feed, and nowhere else."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import example, given
from hypothesis import strategies as st

from asr_qat import files
from asr_qat.corpora.readers import an4, librispeech, manifest
from asr_qat.corpora.readers.json_lines import read_json_lines

pytestmark = pytest.mark.runtime

REPOSITORY = Path(__file__).parent.parent
# What `str.splitlines` takes for the end of a line.
OTHERS = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
# They read what programs print and the system's files, not what people write.
OF_PROGRAMS = re.compile(r"stderr|stdout|CPUINFO|/proc/|error|__doc__|said|status|comment")


TEXTS = st.text(
    st.characters(exclude_characters="\r\n\ufeff", exclude_categories=["Cs"]), max_size=9
)


@given(st.lists(TEXTS), st.booleans())
@example([f"a{OTHERS}b", "", OTHERS], True)
def test_lines(tmp_path_factory, lines, windows):
    path = tmp_path_factory.mktemp("lines") / "x.txt"
    text = "".join(line + ("\r\n" if windows else "\n") for line in lines)
    files.write_text(path, text)
    assert files.read_lines(path) == lines


def test_the_last_line_needs_no_end(tmp_path):
    (tmp_path / "x").write_bytes(b"a\r\n\nb")
    assert files.read_lines(tmp_path / "x") == ["a", "", "b"]
    (tmp_path / "x").write_bytes(b"")
    assert files.read_lines(tmp_path / "x") == []


def record(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.full(16000, 0.1), 16000)


@pytest.mark.parametrize("other", OTHERS)
def test_a_manifest(tmp_path, other):
    name, text = f"a{other}b", f"one{other}two"
    line = {"audio_filepath": f"{name}.wav", "text": text, "speaker": f"x{other}"}
    path = tmp_path / "train.jsonl"
    path.write_text(json.dumps(line, ensure_ascii=False) + "\n", encoding="utf-8")
    (found,) = read_json_lines(path)
    assert (found.id, found.text, found.speaker) == (name, text, f"x{other}")


def test_librispeech(tmp_path):
    folder = tmp_path / "train-clean-5/1/2"
    for number in range(12):
        record(folder / f"1-2-{number:04d}.flac")
    lines = [f"1-2-{number:04d} ONE\u2028TWO\x85THREE" for number in range(12)]
    (folder / "1-2.trans.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    splits = librispeech.read(tmp_path).splits
    assert {item.text for part in splits.values() for item in part} == {"ONE\u2028TWO\x85THREE"}


def test_an4(tmp_path):
    (tmp_path / "etc").mkdir()
    for name in ("train", "test"):
        ids = [f"an4/{speaker}/{speaker}-x" for speaker in "abcdefghijklmnop"]
        (tmp_path / f"etc/an4_{name}.fileids").write_text("\n".join(ids))
        lines = [f"ONE\x85TWO ({Path(each).name})" for each in ids]
        (tmp_path / f"etc/an4_{name}.transcription").write_text("\n".join(lines), encoding="utf-8")
    assert {item.text for item in an4.read(tmp_path).splits["test"]} == {"ONE\x85TWO"}


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [(0, "0"), ("0", "0"), (0.0, "0.0"), (False, "False"), (7, "7"), (None, ""), ("", "")],
)
def test_any_name_is_a_speaker(tmp_path, given_value, expected):
    path = tmp_path / "a.jsonl"
    line = {"audio_filepath": "a.wav", "text": "one", "speaker": given_value, "id": given_value}
    path.write_text(json.dumps(line) + "\n")
    (found,) = read_json_lines(path)
    assert found.speaker == expected
    assert found.id == (expected or "a")


def test_speaker_0_is_held_out_as_one(tmp_path):
    lines = [
        {"audio_filepath": f"{number}.wav", "text": "one", "speaker": number // 2}
        for number in range(20)
    ]
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    splits = manifest.read(path).splits
    spoken = [{item.speaker for item in part} for part in splits.values()]
    assert [len(each) for each in spoken] == [8, 1, 1] and "0" in set().union(*spoken)


def test_no_other_way_to_read_lines():
    for package in ("asr_qat", "tflite_export", "experiments"):
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            for line in path.read_text(encoding="utf-8").split("\n"):
                cut = re.search(r"\.(splitlines|readlines)\(", line)
                assert not cut or OF_PROGRAMS.search(line), f"{path}: {line.strip()}: read_lines"
