"""`python -m experiments.after_training`: quantization after training, for speech and without."""

import argparse
import dataclasses
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from asr_qat.config import load_json
from asr_qat.errors import exit_code, require
from asr_qat.models.model_directory import Recogniser
from asr_qat.parser import Parser
from asr_qat.provenance import Provenance, provenance
from asr_qat.training.calibrated import UTTERANCES, Calibration, speech_pieces
from experiments.after_training.large import large_row
from experiments.after_training.measure import (
    SECONDS,
    Measured,
    Scorer,
    converted,
    file_row,
    rates,
    words_of,
)
from experiments.after_training.peers import RECIPES, Peers
from experiments.after_training.rows import (
    MORE,
    NEAREST,
    SPEECH,
    AfterTrainingResults,
    FileRow,
    NotRun,
)
from experiments.after_training.table import after_training_table
from experiments.reports.write import write_results

PARTS = ("files", "more", "large")
MORE_UTTERANCES, MORE_PRECISION = 400, "w4a8"
LARGE_PRECISION = "w4a8"
PRECISIONS = ("w4a8", "w3a8", "w2a8", "w2a8-asym")
PEER_BITS = {"w4a8": 4, "w2a8": 2}
PEER_UTTERANCES = 32  # its GPTQ takes seconds for each


def main() -> None:
    """Entry point."""
    sys.exit(exit_code("experiments.after_training", _run))


def _run() -> None:
    parser = Parser(prog="experiments.after_training", description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("models/an4_tiny_float"))
    parser.add_argument("--data", type=Path, default=Path("work/an4"), help="prepared folder")
    parser.add_argument("--draws", type=int, default=3, help="of the speech (default: %(default)s)")
    parser.add_argument("--utterances", type=int, default=UTTERANCES, help="of each draw")
    parser.add_argument(
        "--peer-python",
        type=Path,
        default=Path(sys.executable),
        help="Python of an environment with litert-quantizer and numpy 2 (default: this one)",
    )
    parser.add_argument(
        "--only",
        choices=PARTS,
        nargs="+",
        default=PARTS,
        help="what to measure; the rest stays as it is (default: all)",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.add_argument("--out", type=Path, default=Path("results/after_training.json"))
    args = parser.parse_args()
    found: dict[str, Any] = {}
    if set(args.only) < set(PARTS):
        require(args.out.exists(), f"{args.out}: not there yet: measure all, without --only")
        before = load_json(args.out, AfterTrainingResults)
        fields = {field.name for field in dataclasses.fields(before)}
        fields -= {field.name for field in dataclasses.fields(Provenance)}
        found = {name: getattr(before, name) for name in fields}
    if "files" in args.only:
        found |= _files(args)
    if "more" in args.only:
        others = tuple(row for row in found["rows"] if row.by != MORE)
        found |= {"rows": (*others, _more(args)), "more_utterances": MORE_UTTERANCES}
    if "large" in args.only:
        speech = Calibration(args.data, args.utterances, quiet=args.quiet)
        found["large"] = (large_row(args.model, LARGE_PRECISION, speech),)
    results = AfterTrainingResults(**{**found, **provenance()}).with_targets()
    write_results(results, args.out, after_training_table)


def _files(args: argparse.Namespace) -> dict[str, Any]:
    """Fields of the results: files of a trained model, scored."""
    scorer = Scorer(args.data, args.quiet)
    plain = converted(scorer, args.model, "float", None)
    found = [*_ours(args, scorer, plain), *_peers(args, scorer, plain)]
    return {
        "model": args.model.name,
        "data": f"{args.data.name} (dev and test)",
        "utterances": args.utterances,
        "peer_utterances": min(PEER_UTTERANCES, args.utterances),
        "words": words_of(plain),
        "float_wer": rates(plain),
        "rows": tuple(row for row in found if isinstance(row, FileRow)),
        "not_run": tuple(row for row in found if isinstance(row, NotRun)),
    }


def _more(args: argparse.Namespace) -> FileRow:
    """The row of draws with more utterances."""
    scorer = Scorer(args.data, args.quiet)
    plain = converted(scorer, args.model, "float", None)
    drawn = [
        Calibration(args.data, MORE_UTTERANCES, seed, args.quiet) for seed in range(args.draws)
    ]
    of_draws = [converted(scorer, args.model, MORE_PRECISION, each) for each in drawn]
    return file_row(MORE, MORE_PRECISION, of_draws, plain)


def _ours(args: argparse.Namespace, scorer: Scorer, plain: Measured) -> Iterator[FileRow]:
    for precision in PRECISIONS:
        nearest = converted(scorer, args.model, precision, None)
        yield file_row(NEAREST, precision, [nearest], plain)
        drawn = [
            Calibration(args.data, args.utterances, seed, args.quiet) for seed in range(args.draws)
        ]
        of_draws = [converted(scorer, args.model, precision, each) for each in drawn]
        yield file_row(SPEECH, precision, of_draws, plain)


def _peers(args: argparse.Namespace, scorer: Scorer, plain: Measured) -> Iterator[FileRow | NotRun]:
    """LiteRT's quantizer, with the speech of the first draw."""
    recogniser = Recogniser.load(args.model)
    count = min(PEER_UTTERANCES, args.utterances)
    speech = list(speech_pieces(recogniser, Calibration(args.data, count)))
    with tempfile.TemporaryDirectory() as folder:
        peers = Peers(recogniser, SECONDS[0], speech, args.peer_python, Path(folder))
        for precision, bits in PEER_BITS.items():
            for recipe in RECIPES:
                by = f"LiteRT quantizer, {recipe}"
                made = peers.file(recipe, bits)
                if isinstance(made, str):
                    yield NotRun(by, precision, made)
                    continue
                yield file_row(by, precision, [scorer.measured(made)], plain)


if __name__ == "__main__":
    main()
