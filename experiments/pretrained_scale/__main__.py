"""`python -m experiments.pretrained_scale`: whole networks of published sizes.

Bytes and export of files, the speed and the memory of a network of 0.6 B parameters beside the
same in ONNX Runtime, and conversions beside those of an earlier commit. Weights are random.
"""

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

from asr_qat.config import load_json
from asr_qat.errors import exit_code, require
from asr_qat.parser import Parser
from asr_qat.provenance import provenance
from experiments.pretrained_scale.before import beside_before
from experiments.pretrained_scale.networks import SECONDS, Made, Network
from experiments.pretrained_scale.rows import PretrainedScaleResults, targets
from experiments.pretrained_scale.running import Command, litert, onnx, speeds, starts
from experiments.pretrained_scale.table import pretrained_scale_table
from experiments.reports.write import write_results
from tflite_export.runtime.recogniser import TFLiteRecogniser

PARTS = ("files", "before", "speed", "start")
SIZES = {
    "published": (
        Network("Conformer-CTC large", "ctc", "large", "ctc", ("w4a8",)),
        Network("FastConformer TDT 0.6 B", "tdt", "0.6b", "transducer", ("w4a8", "two_bit")),
    ),
    "tiny": (  # shows that it runs
        Network("Conformer-CTC tiny", "ctc", "tiny", "ctc", ("w4a8",)),
        Network("FastConformer TDT tiny", "tdt", "tiny", "transducer", ("w4a8", "two_bit")),
    ),
}
PRESETS = {"published": "L", "tiny": "tiny"}  # that is converted by an earlier commit too
BEFORE_ROUNDS, SPEED_ROUNDS, START_ROUNDS = 3, 15, 5
TOKENIZER = Path("models/an4_tiny_float/tokenizer.model")


def main() -> None:
    """Entry point."""
    sys.exit(exit_code("experiments.pretrained_scale", _run))


def _run() -> None:
    parser = Parser(prog="experiments.pretrained_scale", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--peer-python",
        type=Path,
        required=True,
        help="Python of an environment with torch, nemo_toolkit[asr] and onnxruntime",
    )
    parser.add_argument("--size", choices=tuple(SIZES), default="published")
    parser.add_argument("--work", type=Path, default=Path("work/pretrained_scale"))
    parser.add_argument("--out", type=Path, default=Path("results/pretrained_scale.json"))
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="PART",
        help=f"{', '.join(PARTS)}: what to measure; the rest stays as it is",
    )
    parser.add_argument("--rounds", type=int, help="of each measurement (default: 3 to 15)")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    args = parser.parse_args()
    for part in args.only or ():
        require(part in PARTS, f"--only {part}: expected {', '.join(PARTS)}")
    found: dict[str, Any] = {}
    if args.only and args.out.exists():
        before = load_json(args.out, PretrainedScaleResults)
        found = {field: getattr(before, field) for field in _FIELDS}
    made = [Made(network, args.work, args.peer_python) for network in SIZES[args.size]]
    for part in args.only or PARTS:
        found |= _measured(part, made, args)
        results = PretrainedScaleResults(**found, **provenance())
        results = dataclasses.replace(results, targets=targets(results))
        write_results(results, args.out, pretrained_scale_table)
    print(pretrained_scale_table(results), end="")


_FIELDS = ("files", "before", "speed_network", "audio_seconds", "speed", "start")


def _measured(part: str, made: list[Made], args: argparse.Namespace) -> dict[str, Any]:
    """The fields of the results that belong to a part."""
    if part == "files":
        rows = [each.export(name) for each in made for name in each.network.precisions]
        return {"files": tuple(rows)}
    if part == "before":
        rounds = args.rounds or BEFORE_ROUNDS
        preset = PRESETS[args.size]
        return {"before": (beside_before(preset, "w4a8", TOKENIZER, rounds, args.quiet),)}
    largest, cache = made[-1], args.work / "cache"
    about = {"speed_network": largest.network.name, "audio_seconds": SECONDS}
    commands = _commands(largest, args.peer_python, cached=part == "start")
    if part == "speed":
        rounds = args.rounds or SPEED_ROUNDS
        return about | {"speed": speeds(commands, SECONDS, rounds, cache, args.quiet)}
    rounds = args.rounds or START_ROUNDS
    return about | {"start": starts(commands, rounds, cache, args.quiet)}


def _commands(made: Made, peer_python: Path, cached: bool) -> list[Command]:
    """Files of LiteRT, with a weight cache too if `cached`, then those of ONNX Runtime."""
    names = {"w4a8": "int4", "two_bit": "2-bit"}
    own = {names[precision]: made.file(precision) for precision in made.network.precisions}
    frames = TFLiteRecogniser(own["int4"]).lengths[-1]
    found = [("LiteRT", name, path, litert(path)) for name, path in own.items()]
    if cached:
        found += [
            ("LiteRT, weight cache", name, path, litert(path, weight_cache=True))
            for name, path in own.items()
        ]
    for kind in ("int8", "int4"):
        path = made.onnx(kind)
        found.append(("ONNX Runtime", kind, path, onnx(path, peer_python, frames)))
    return found


if __name__ == "__main__":
    main()
