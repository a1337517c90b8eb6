"""The keys of configuration files: their table, their page, and the schema for editors."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from asr_qat import files
from asr_qat.cli import build_parser
from asr_qat.config_keys import Key, key_table, keys_markdown
from asr_qat.config_schema import json_schema
from asr_qat.training.config import TrainConfig
from experiments.study.config import StudyConfig

CONFIGS = Path(__file__).parent.parent / "configs"
KINDS = {"train": TrainConfig, "study": StudyConfig}


@dataclasses.dataclass(frozen=True)
class Inner:
    """A part.

    Attributes:
        share: of all, `|x|`,
            from 0 to 1.
        names: of layers, or null.
    """

    share: float = 0.5
    names: tuple[str | int, ...] | None = None


@dataclasses.dataclass(frozen=True)
class Outer:
    """The whole.

    Attributes:
        steps: in all.
        part: one.
        parts: others, by name.
        widths: by step.
    """

    steps: int
    part: Inner | None = Inner(0.25)
    parts: dict[str, Inner] = dataclasses.field(default_factory=dict)
    widths: dict[int, int] = dataclasses.field(default_factory=dict)


def test_the_table_has_every_key_with_type_default_and_meaning():
    names = "a list of text or whole numbers or null"
    assert key_table(Outer) == [
        Key("steps", "a whole number", None, True, "in all."),
        Key("part", "keys and values or null", None, False, "one.", "A part."),
        Key("part.share", "a number", "0.25", False, "of all, `|x|`, from 0 to 1."),
        Key("part.names", names, "null", False, "of layers, or null."),
        Key("parts", "keys and values", "{}", False, "others, by name.", "A part."),
        Key("parts.<name>.share", "a number", "0.5", False, "of all, `|x|`, from 0 to 1."),
        Key("parts.<name>.names", names, "null", False, "of layers, or null."),
        Key("widths", "keys and values", "{}", False, "by step."),
    ]


def test_the_page_has_a_table_for_each_part():
    page = keys_markdown(Outer, level=3)
    top, part, parts = page.split("\n\n### ")
    assert "| `steps` | a whole number | required | in all. |" in top
    assert "| [`part`](#part) | keys and values or null | that of its keys | one. |" in top
    assert "| [`parts`](#parts) | keys and values | `{}` | others, by name. |" in top
    assert part.startswith("`part`\n\nA part.\n\n| key |")
    assert r"| `share` | a number | `0.25` | of all, `\|x\|`, from 0 to 1. |" in part
    assert r"| `share` | a number | `0.5` | of all, `\|x\|`, from 0 to 1. |" in parts


@pytest.mark.parametrize("kind", KINDS.values())
def test_every_key_has_a_meaning(kind):
    assert [key.name for key in key_table(kind) if not key.meaning] == []


@pytest.mark.parametrize("name", KINDS)
def test_schema_is_up_to_date(name):
    assert files.read_json(CONFIGS / f"{name}.schema.json") == json_schema(KINDS[name]), (
        "run `make schemas`"
    )


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_editors_find_the_schema_of_each_file(path):
    name = "study" if path.stem.startswith("study_") else "train"
    first, _, _ = path.read_text().partition("\n")
    assert first == f"# yaml-language-server: $schema={name}.schema.json"


@pytest.mark.parametrize("command", ["train", "quantize", "study"])
def test_keys_are_printed_without_a_file(capsys, command):
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args([command, "--keys"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    expected = "groups.<name>.weights: " if command == "study" else "optimizer.schedule.peak: "
    assert expected in printed


def test_a_schema_is_written(tmp_path):
    path = tmp_path / "schema.json"
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args(["train", "--schema", str(path)])
    assert ended.value.code == 0
    assert files.read_json(path) == json_schema(TrainConfig)


def test_pydantic_is_of_the_training_side_alone():
    code = (
        "import sys, asr_qat.cli, tflite_export.cli, tflite_export.runtime.recogniser\n"
        "asr_qat.cli.build_parser(), tflite_export.cli.build_parser()\n"
        "assert 'pydantic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
