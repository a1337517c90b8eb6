"""`python -m experiments.two_bit_speed`: 2-bit files, widened in memory, beside 4-bit ones.

Speed, loading and memory of the encoders of whole presets, with random weights, and whether the
outputs of the same 2-bit file are the same to the bit at every width.
"""

import dataclasses
import sys
from pathlib import Path

from asr_qat.errors import exit_code, require
from asr_qat.parser import Parser
from asr_qat.provenance import Provenance
from experiments.reports.write import write_results
from experiments.two_bit_speed.measure import SECONDS, measure
from experiments.two_bit_speed.rows import TwoBitSpeedResults, targets
from experiments.two_bit_speed.table import two_bit_speed_table
from tflite_export.runtime.widen import automatic_bits

PROGRAM = "experiments.two_bit_speed"
PRESETS = ("tiny", "S", "M", "L", "fastconformer_l", "fastconformer_xl")
MEASURED = ("S", "L", "fastconformer_l")
ROUNDS, STARTS = 21, 5
TOKENIZER = Path("models/an4_tiny_float/tokenizer.model")


def main() -> None:
    """Entry point."""
    sys.exit(exit_code(PROGRAM, _run))


def build_parser() -> Parser:
    """The parser of the command."""
    parser = Parser(prog=PROGRAM, description=__doc__.splitlines()[0])
    parser.add_argument(
        "--preset",
        nargs="+",
        choices=PRESETS,
        default=MEASURED,
        help=f"of CTC models (default: {' '.join(MEASURED)})",
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="timed runs of each file")
    parser.add_argument("--starts", type=int, default=STARTS, help="processes that load each file")
    parser.add_argument("--work", type=Path, default=Path("work/two_bit_speed"))
    parser.add_argument("--out", type=Path, default=Path("results/two_bit_speed.json"))
    parser.add_argument("--quiet", action="store_true", help="no progress")
    return parser


def _run() -> None:
    args = build_parser().parse_args()
    for option in ("rounds", "starts"):
        value = getattr(args, option)
        require(value > 0, f"--{option} {value}: expected 1 or more")
    networks = [
        measure(preset, TOKENIZER, args.work, args.rounds, args.starts, args.quiet)
        for preset in args.preset
    ]
    found = TwoBitSpeedResults(
        **vars(Provenance.of_this_run(0)),
        audio_seconds=SECONDS,
        rounds=args.rounds,
        automatic=automatic_bits(),
        networks=tuple(networks),
    )
    found = dataclasses.replace(found, targets=targets(found))
    print(write_results(found, args.out, two_bit_speed_table), end="")


if __name__ == "__main__":
    main()
