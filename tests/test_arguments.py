"""Arguments that have to be above zero."""

import pytest

from asr_qat.cli import build_parser


@pytest.mark.parametrize("option", ["--batch", "--seconds", "--rounds"])
@pytest.mark.parametrize("word", ["0", "-1", "nan", "inf", "many"])
def test_benchmark_refuses(capsys, option, word):
    with pytest.raises(SystemExit) as stopped:
        build_parser().parse_args(["benchmark", f"{option}={word}"])
    assert stopped.value.code == 2
    assert f"argument {option}: '{word}' is not a " in capsys.readouterr().err


def test_benchmark_takes():
    args = build_parser().parse_args(["benchmark", "--batch", "2", "--seconds", ".5", "--rounds=1"])
    assert (args.batch, args.seconds, args.rounds) == (2, 0.5, 1)


def test_prepare_without_fallback():
    words = ["prepare", "--out", "x"]
    assert build_parser().parse_args(words).fallback
    assert not build_parser().parse_args([*words, "--no-fallback"]).fallback
