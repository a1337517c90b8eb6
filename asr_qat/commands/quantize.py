"""`asr-qat quantize`."""

import argparse

from asr_qat.config import load_yaml
from asr_qat.errors import UserError


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser("quantize", help="go on training a float model, now quantized")
    parser.add_argument("--model", help="float model directory, instead of the file's `start`")
    parser.add_argument("--config", required=True, help="YAML file as for `asr-qat train`")
    parser.add_argument("--precision", help="such as w4a8, instead of the file's")
    parser.add_argument("--mode", choices=("native", "fake"), help="instead of the file's")
    parser.add_argument("--steps", type=int, help="updates in all, instead of the file's")
    parser.add_argument("--data", help="prepared folder, instead of the file's")
    parser.add_argument("--output", help="model directory to write, instead of the file's")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Quantize a float model and train it, or go on where that was interrupted."""
    import dataclasses
    from pathlib import Path

    from asr_qat.quantize.apply import QuantizationConfig
    from asr_qat.training.config import TrainConfig
    from asr_qat.training.run import train

    config = load_yaml(args.config, TrainConfig)
    given = {
        "start": args.model,
        "steps": args.steps,
        "data": args.data,
        "output": args.output,
    }
    config = dataclasses.replace(config, **{k: v for k, v in given.items() if v is not None})
    if config.quantization is None and args.precision is None:
        raise UserError(f"{args.config}: key 'quantization' is missing: add it or give --precision")
    quantization = config.quantization or QuantizationConfig()
    changes = {"precision": args.precision, "mode": args.mode}
    quantization = dataclasses.replace(quantization, **{k: v for k, v in changes.items() if v})
    if config.start is None:
        raise UserError(f"{args.config}: key 'start' is missing: add it or give --model")
    if Path(config.start).resolve() == Path(config.output).resolve():
        raise UserError(f"{config.output}: is the float model itself: choose another --output")
    train(dataclasses.replace(config, quantization=quantization), args.quiet)
