"""`tflite-export convert`."""

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

from asr_qat.errors import UserError, require

if TYPE_CHECKING:
    from asr_qat.training.calibrated import Calibration


def add_parser(subparsers) -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser("convert", help="write the .tflite of a model directory")
    parser.add_argument("model", help="model directory of asr-qat train or quantize")
    parser.add_argument(
        "--precision",
        help="float, w8a8, w4a8, w2a8, w8, w4, w2, mixed_4_8, two_bit, two_bit_all or ternary; a "
        "float model is quantized after training (default: as it was trained)",
    )
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        help="file to write; OUTPUT.md, its model card, is written beside it",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        nargs="+",
        help="utterance lengths that get a signature of their own; longer ones are cut into "
        "overlapping windows of the longest (default: 4 16)",
    )
    parser.add_argument(
        "--full-integer",
        choices=("int8", "int16"),
        help="activations of this type and no float tensor at all, for devices without float; "
        "needs --calibration (CTC models)",
    )
    parser.add_argument(
        "--target",
        choices=("generic", "tflm", "ethos-u"),
        default="generic",
        help="what runs a full-integer file: LiteRT, TensorFlow Lite for Microcontrollers, or an "
        "Arm Ethos-U by way of Vela; the latter two get int8, one signature and 4-bit weights in "
        "a byte each (default: %(default)s)",
    )
    parser.add_argument(
        "--signature",
        metavar="NAME",
        help="the one signature of --target tflm and ethos-u, such as encode_398 (default: of the "
        "shortest of --seconds)",
    )
    parser.add_argument(
        "--calibration",
        metavar="DATA",
        help="speech, without transcripts: a folder of recordings, a manifest (.jsonl), or a "
        "prepared folder (its training split). The weights of a float model are rounded for it, "
        "layer by layer, and ranges of static activations are measured on it",
    )
    parser.add_argument(
        "--calibration-utterances",
        type=int,
        default=128,
        metavar="N",
        help="at most so many, of 20 s at most, drawn at random (default: %(default)s)",
    )
    parser.add_argument(
        "--calibration-seed",
        type=int,
        default=0,
        metavar="N",
        help="of the draw (default: %(default)s)",
    )
    parser.add_argument(
        "--rounding",
        choices=("gptq", "adaround", "nearest"),
        default="gptq",
        help="of the weights, with --calibration: second-order, learned, or to the nearest values "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--strip-names",
        action="store_true",
        help="leave out the names of tensors that LiteRT does not need and other software does",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress, and no line at the end")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Convert, write the model card, and print what the file holds."""
    from asr_qat.lock import NAME, locked  # no locks on Windows, where the other commands run
    from tflite_export.convert.convert import convert
    from tflite_export.runtime.metadata import read_metadata
    from tflite_export.score.card import write_card

    speech = args.rounding == "gptq" or args.calibration is not None
    require(speech, f"--rounding {args.rounding}: is of --calibration: add that")
    chosen = args.signature is None or args.target != "generic"
    require(chosen, "--signature: is of --target tflm and ethos-u: add one of them")
    seconds = tuple(args.seconds) if args.seconds else None
    if args.target != "generic" and args.full_integer is None:
        args.full_integer = "int8"
    output = Path(args.output)
    # Of two at once one waits: the card is that of the file.
    with locked(output.with_name(f".{output.name}{NAME}"), patience_s=math.inf):
        if args.full_integer is None:
            convert(
                args.model,
                args.output,
                args.precision,
                seconds,
                _calibration(args),
                names=not args.strip_names,
            )
        else:
            _convert_calibrated(args, seconds)
        write_card(args.output)
    if not args.quiet:
        found, size = read_metadata(args.output), Path(args.output).stat().st_size
        print(f"{args.output}: {size:,} bytes, {found.widths}")


def _calibration(args: argparse.Namespace) -> "Calibration | None":
    """The speech that the options name."""
    from asr_qat.training.calibrated import Calibration

    if args.calibration is None:
        return None
    return Calibration(
        args.calibration,
        args.calibration_utterances,
        args.calibration_seed,
        args.quiet,
        args.rounding,
    )


def _convert_calibrated(args: argparse.Namespace, seconds: tuple[float, ...] | None) -> None:
    calibration = _calibration(args)
    if calibration is None:
        raise UserError(
            "--full-integer and --target: measure ranges of a CTC model: "
            "add --calibration work/an4, say"
        )
    from tflite_export.convert.convert import DEFAULT_SECONDS
    from tflite_export.convert.full_integer.convert import convert_calibrated

    convert_calibrated(
        args.model,
        args.output,
        int(args.full_integer.removeprefix("int")),
        calibration,
        args.precision,
        seconds or DEFAULT_SECONDS,
        args.quiet,
        args.target,
        args.signature,
        names=not args.strip_names,
    )
