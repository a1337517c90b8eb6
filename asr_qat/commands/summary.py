"""`asr-qat summary`."""

import argparse
import dataclasses
import json

from asr_qat.commands.arguments import positive_int
from asr_qat.errors import UserError

# Those of asr_qat.models.presets, whose import takes seconds.
PRESETS = ("tiny", "S", "M", "L", "fastconformer_l", "fastconformer_xl", "live_tiny", "live_l")
VOCABULARY = 1024  # the 1k word pieces of Gulati et al. (2020)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser("summary", help="parameters, bits and bytes of every layer")
    parser.add_argument("directory", nargs="?", help="model directory")
    parser.add_argument("--preset", choices=PRESETS, help="instead of a directory")
    parser.add_argument(
        "--model", choices=("ctc", "transducer"), help="with --preset (default: transducer)"
    )
    parser.add_argument(
        "--vocab-size",
        type=positive_int,
        help=f"number of tokens, with --preset (default: {VOCABULARY})",
    )
    parser.add_argument(
        "--precision",
        help="such as w4a8, mixed_4_8, two_bit_all or ternary: as a float model would be quantized",
    )
    parser.add_argument("--by", default="layer", choices=("layer", "block"), help="a row for each")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print a row for each layer or block, then the total and its ratio to float32."""
    from asr_qat.models import presets
    from asr_qat.models.model_config import ModelConfig
    from asr_qat.models.model_directory import Recogniser, build_float
    from asr_qat.models.summary import group, summarize, total
    from asr_qat.quantize.apply import QuantizationConfig
    from asr_qat.quantize.precision import FLOAT, FLOAT_BITS

    if (args.directory is None) == (args.preset is None):
        raise UserError("give a model directory or --preset, one of them")
    wanted = args.precision or FLOAT
    quantization = None if wanted == FLOAT else QuantizationConfig(wanted)
    if args.preset:
        streaming = presets.STREAMING.get(args.preset)
        if streaming and args.model == "ctc":
            raise UserError(f"--preset {args.preset}: a live model is a transducer")
        transducer = None if args.model == "ctc" else presets.TRANSDUCERS[args.preset]
        encoder = presets.PRESETS[args.preset]
        shape = ModelConfig(encoder, transducer=transducer, streaming=streaming)
        kind = shape.kind
        model = build_float(shape, args.vocab_size or VOCABULARY)
    else:
        if args.vocab_size or args.model:
            raise UserError("--vocab-size and --model go with --preset: a directory has its own")
        recogniser = Recogniser.load(args.directory)
        trained = recogniser.config.quantization
        if trained and args.precision:
            raise UserError(
                f"{args.directory}: trained at {trained.precision}: omit --precision, "
                "or give a float model"
            )
        kind, model = recogniser.config.kind, recogniser.model
    layers = summarize(model, quantization)
    rows, whole = group(layers) if args.by == "block" else layers, total(layers)
    ratio = whole.parameters * FLOAT_BITS / 8 / whole.bytes
    if args.json:
        content = {
            "rows": [dataclasses.asdict(row) for row in rows],
            "total": dataclasses.asdict(whole),
            "ratio": ratio,
        }
        print(json.dumps(content, indent=2))
        return
    print(f"{'layer':<28} {'parameters':>13}  bits {'bytes':>13}")
    for row in [*rows, whole]:
        print(f"{row.name:<28} {row.parameters:13,} {row.bits:5.3g} {row.bytes:13,}")
    print(f"{ratio:.2f} times smaller than float32, without a file's graph and metadata")
    for head in [layer.name for layer in layers if layer.name in kind.training_only]:
        print(f"{head} is used in training only: no file has it")
