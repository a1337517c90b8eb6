"""`python -m experiments.long_form`: hours, times of words, language models, of `.tflite` files."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from asr_qat.config import load_json
from asr_qat.corpora.recordings import recordings
from asr_qat.decoding.arpa import write_arpa
from asr_qat.decoding.kneser_ney import estimate
from asr_qat.errors import exit_code
from asr_qat.parser import Parser
from asr_qat.provenance import provenance
from experiments.long_form.hour import hour
from experiments.long_form.rows import LongFormResults
from experiments.long_form.searches import searches
from experiments.long_form.table import long_form_table
from experiments.long_form.times import Reference, times
from experiments.reports.write import write_results

ORDER = 3  # of the language model
SPLITS = ("test", "dev", "train")  # of the long recording, as far as it is long


def main() -> None:
    """Entry point."""
    sys.exit(exit_code("experiments.long_form", _run))


def _run() -> None:
    parser = Parser(prog="experiments.long_form", description=__doc__)
    parser.add_argument(
        "files", nargs="+", type=Path, help=".tflite files: CTC models and transducers"
    )
    parser.add_argument(
        "--align", type=Path, required=True, help="float CTC .tflite file that aligns transcripts"
    )
    parser.add_argument("--data", default="work/an4", help="prepared folder (default: %(default)s)")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=tuple(SECTIONS),
        help="what to measure; the rest stays as it is",
    )
    parser.add_argument(
        "--seconds", type=float, default=3600.0, help="of the long recording (default: 3600)"
    )
    parser.add_argument("--limit", type=int, help="recordings of each split, for a trial")
    parser.add_argument("--work", type=Path, default=Path("work/long_form"))
    parser.add_argument("--out", type=Path, default=Path("results/long_form.json"))
    args = parser.parse_args()
    found: dict[str, Any] = {}
    if args.only and args.out.exists():
        before = load_json(args.out, LongFormResults)
        found = {name: getattr(before, name) for name in SECTIONS}
    for name in args.only or SECTIONS:
        print(f"== {name}", flush=True)
        found[name] = tuple(SECTIONS[name](args))
        data = f"{Path(args.data).name} (test)"
        results = LongFormResults(**provenance(), data=data, **found).with_targets()
        write_results(results, args.out, long_form_table)


def _hours(args: argparse.Namespace) -> list:
    return [hour(path, args.data, SPLITS, args.seconds, args.work) for path in args.files]


def _times(args: argparse.Namespace) -> list:
    reference = Reference(args.align)
    dev, test = (recordings(args.data, split)[: args.limit] for split in ("dev", "test"))
    return [times(path, reference, dev, test) for path in args.files]


def _searches(args: argparse.Namespace) -> list:
    lm = args.work / "lm.arpa"
    write_arpa(lm, estimate((item.text for item in recordings(args.data, "train")), ORDER))
    dev, test = (recordings(args.data, split)[: args.limit] for split in ("dev", "test"))
    return [row for path in args.files for row in searches(path, lm, dev, test)]


# What measures the rows of a field of the results.
SECTIONS: dict[str, Callable[[argparse.Namespace], list]] = {
    "hours": _hours,
    "times": _times,
    "searches": _searches,
}


if __name__ == "__main__":
    main()
