"""What both ways of `tflite-export evaluate` share, of whole utterances and of streams."""

import argparse
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from asr_qat.errors import require
from asr_qat.text.normalizers import NAMES
from tflite_export.commands.arguments import data_name

if TYPE_CHECKING:
    from tflite_export.runtime.metadata import Metadata
    from tflite_export.score.condition_rows import ConditionsEvaluation
    from tflite_export.score.live_rows import StreamedEvaluation
    from tflite_export.score.rows import Evaluation

SHOWN = 5  # utterances whose hypothesis differs from the Keras model's
Figures = TypeVar("Figures", "Evaluation", "StreamedEvaluation")


def chosen_normalizer(args: argparse.Namespace, metadata: "Metadata") -> str:
    """The normaliser that was asked for, or that of the file; it is there and installed."""
    from asr_qat.text.normalizers import scoring_normalizer

    name: str = args.normalizer or metadata.normalizer
    known = ", ".join(NAMES)
    require(name in NAMES, f"{args.file}: of a normaliser {name!r}: give a --normalizer of {known}")
    scoring_normalizer(name)
    return name


def refuse_unread(unread: int, of: int) -> None:
    """Fail, after the others were scored, if recordings cannot be read."""
    others = f"the score is of the other {of - unread}"
    require(not unread, f"{unread} of {of} recordings cannot be read, see above: {others}")


def left_out(found: "Evaluation | StreamedEvaluation | ConditionsEvaluation") -> str:
    """How many recordings there were that the figures are not of, in words."""
    return f", {found.left_out} left out" if found.left_out else ""


def show(args: argparse.Namespace, found: "Figures", in_words: "Callable[[Figures], None]") -> None:
    """Print the figures, in the form that was asked for, and write them into the card.

    Args:
        args: of the command.
        found: the figures.
        in_words: prints them for people.
    """
    from tflite_export.score.card import write_card

    if args.card:
        write_card(args.file, found, data_name(args))
    if args.json:
        print(json.dumps(dataclasses.asdict(found), indent=2))
    else:
        print(f"{args.data} ({args.split})" if Path(args.data).is_dir() else args.data)
        in_words(found)
