"""Argument types that the commands share."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from asr_qat.cores import usable_cores
from asr_qat.errors import UserError, require
from tflite_export.runtime.live.endpoint import EndpointConfig

if TYPE_CHECKING:
    from tflite_export.runtime.beam_search import BeamSearch
    from tflite_export.runtime.widen import Widen

CHUNK_MS = (10, 2000)  # least, most
DEFAULT_CHUNK_MS = 120
WIDEN: dict[str, "Widen"] = {"4": 4, "8": 8, "no": "no", "auto": "auto"}


def data_name(args: argparse.Namespace) -> str:
    """Name of the recordings given as `--data` and `--split`, without the folders above."""
    path = Path(args.data)
    return f"{path.name} ({args.split})" if path.is_dir() else path.name


def threads(text: str) -> int:
    """A number of CPU threads: 1 up to the number of cores that the process may use."""
    cores = usable_cores()
    if not text.isdigit() or not 1 <= int(text) <= cores:
        raise UserError(f"--threads {text}: expected 1 to {cores}, the number of cores")
    return int(text)


def add_weight_cache(parser: argparse.ArgumentParser) -> None:
    """Add the option of `tflite_export.runtime.weight_cache`."""
    parser.add_argument(
        "--weight-cache",
        action="store_true",
        help="keep the weights as they are used in a file of the user's cache: the next process "
        "starts sooner, and shares them",
    )


def add_skip_checksum(parser: argparse.ArgumentParser) -> None:
    """Add the option not to compare the checksum of a `.tflite`."""
    parser.add_argument(
        "--skip-checksum",
        action="store_true",
        help="load the .tflite even if it is not, byte for byte, what was converted",
    )


def add_widen(parser: argparse.ArgumentParser) -> None:
    """Add the option of `tflite_export.runtime.widen`."""
    parser.add_argument(
        "--widen",
        type=_widen,
        default="auto",
        metavar=f"{{{','.join(WIDEN)}}}",
        help="bits that weights of 2 bits get in memory, as LiteRT may compute faster with wider "
        "ones; file and results stay the same (default: %(default)s, 4 where that is faster)",
    )


def _widen(text: str) -> "Widen":
    """Bits, `no` or `auto`."""
    found = WIDEN.get(text)
    if found is None:
        raise UserError(f"--widen {text}: expected {', '.join(WIDEN)}")
    return found


def beam(text: str) -> int:
    """Hypotheses that a beam search keeps: 1 or more."""
    if not text.isdigit() or int(text) < 1:
        raise UserError(f"--beam {text}: expected a number from 1 up")
    return int(text)


def add_fusion(parser: argparse.ArgumentParser) -> None:
    """Add the options of `BeamSearch` beside its width."""
    parser.add_argument(
        "--lm",
        metavar="FILE",
        help="n-gram language model of words for a beam search: ARPA (see asr-qat ngram), or a "
        "KenLM binary (needs the extra `lm`)",
    )
    for option, metavar, of in (
        ("--lm-weight", "W", "of its log-probabilities (default: 0.3)"),
        ("--word-bonus", "NATS", "with --lm: for each word (default: 1)"),
        ("--unknown-penalty", "NATS", "with --lm: for words that it does not know (default: 3)"),
        ("--hotword-boost", "NATS", "for each word of a hotword (default: 3)"),
    ):
        parser.add_argument(option, type=float, metavar=metavar, help=of)
    parser.add_argument(
        "--hotwords", metavar="WORDS", help='likely words and phrases: "MARIA,NEW YORK"'
    )


def beam_search(args: argparse.Namespace) -> "BeamSearch | None":
    """The search that `--beam` and the options of `add_fusion` ask for; None for a greedy one."""
    from tflite_export.runtime.beam_search import BeamSearch

    hotwords = tuple(filter(str.strip, (args.hotwords or "").split(",")))
    require(args.hotwords is None or bool(hotwords), f"--hotwords {args.hotwords!r}: no words")
    options = {
        name: getattr(args, name)
        for name in ("lm_weight", "word_bonus", "unknown_penalty", "hotword_boost")
        if getattr(args, name) is not None
    }
    for name in options:
        needed = "hotwords" if name == "hotword_boost" else "lm"
        require(
            bool(getattr(args, needed)), f"--{name.replace('_', '-')}: of --{needed}: add that too"
        )
    if not (args.beam or args.lm or hotwords):
        return None
    width = {"width": args.beam} if args.beam else {}
    return BeamSearch(**width, lm=args.lm, hotwords=hotwords, **options)


def whole_number(option: str, least: int, most: int) -> Callable[[str], int]:
    """The type of an option that is a whole number within bounds."""

    def convert(text: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise UserError(f"{option} {text}: expected a whole number from {least} to {most}")
        return int(text)

    return convert


def seconds(option: str) -> Callable[[str], float]:
    """The type of an option that is a duration above 0."""

    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = 0.0
        if not 0 < value < float("inf"):
            raise UserError(f"{option} {text}: expected a number of seconds above 0")
        return value

    return convert


def add_chunk_ms(parser: argparse.ArgumentParser, several: bool = False) -> None:
    """Add the option of live models that says how audio is cut, in one way or in several."""
    parser.add_argument(
        "--chunk-ms",
        type=whole_number("--chunk-ms", *CHUNK_MS),
        nargs="+" if several else None,
        default=[DEFAULT_CHUNK_MS] if several else DEFAULT_CHUNK_MS,
        help=f"milliseconds of audio processed together by a live model "
        f"(default: {DEFAULT_CHUNK_MS})",
    )


def add_endpoint(parser: argparse.ArgumentParser) -> None:
    """Add the options of `EndpointConfig`."""
    rule = EndpointConfig()
    parser.add_argument(
        "--pause-s",
        type=seconds("--pause-s"),
        default=rule.pause_s,
        help=f"an utterance ends so many seconds after its last word (default: {rule.pause_s})",
    )
    parser.add_argument(
        "--longest-s",
        type=seconds("--longest-s"),
        default=rule.longest_s,
        help=f"or so many seconds after its first word (default: {rule.longest_s})",
    )


def endpoint_of(args: argparse.Namespace) -> EndpointConfig:
    """What `add_endpoint` read."""
    return EndpointConfig(args.pause_s, args.longest_s)
