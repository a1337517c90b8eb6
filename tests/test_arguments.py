"""Arguments: what is refused, in one line."""

import importlib.util
import sys

import pytest

from asr_qat import cli
from asr_qat.cli import build_parser
from asr_qat.errors import UserError
from tflite_export import cli as export_cli

pytestmark = pytest.mark.runtime
in_the_repository = pytest.mark.skipif(
    importlib.util.find_spec("experiments.benchmarks") is None,
    reason="the installed package leaves benchmarks out",
)


@in_the_repository
@pytest.mark.parametrize("option", ["--batch", "--seconds", "--rounds"])
@pytest.mark.parametrize("word", ["0", "-1", "nan", "inf", "many"])
def test_benchmark_refuses(option, word):
    with pytest.raises(UserError, match=f"argument {option}: '{word}' is not a "):
        build_parser().parse_args(["benchmark", f"{option}={word}"])


@in_the_repository
def test_benchmark_takes():
    args = build_parser().parse_args(["benchmark", "--batch", "2", "--seconds", ".5", "--rounds=1"])
    assert (args.batch, args.seconds, args.rounds) == (2, 0.5, 1)


def test_prepare_without_fallback():
    words = ["prepare", "--out", "x"]
    assert build_parser().parse_args(words).fallback
    assert not build_parser().parse_args([*words, "--no-fallback"]).fallback


@pytest.mark.parametrize(
    ("program", "command", "opening"),
    [
        (cli, "train", "Train a model from a configuration file."),
        (export_cli, "inspect", "What is inside a .tflite file."),
    ],
)
def test_help_says_what_the_command_does(capsys, program, command, opening):
    with pytest.raises(SystemExit):
        program.build_parser().parse_args([command, "--help"])
    assert f"\n\n{opening}\n\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("main", "words", "line"),
    [
        (cli.main, ["asr-qat", "train"], "the following arguments are required: --config: see "
         "`asr-qat train --help`"),
        (cli.main, ["asr-qat", "prepare", "--out", "x", "--shards", "two"],
         "argument --shards: invalid int value: 'two': see `asr-qat prepare --help`"),
        (export_cli.main, ["tflite-export", "inspect", "a", "b"],
         "unrecognized arguments: b: see `tflite-export --help`"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_one_line(monkeypatch, capsys, main, words, line):
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 1
    assert capsys.readouterr() == ("", f"{words[0]}: error: {line}\n")
