"""`asr-qat assign`."""

import argparse


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser(
        "assign",
        help="choose a precision for each layer within a byte budget",
        description="Choose, of the precisions that `asr-qat sensitivity` measured, one for each "
        "layer: the least expected loss within a budget. `quantization: {overrides_from: FILE}` "
        "in a configuration takes the result.",
    )
    parser.add_argument("--sensitivity", required=True, help="file of `asr-qat sensitivity`")
    parser.add_argument(
        "--budget",
        required=True,
        help="of all weights: bytes, a ratio to float32 such as 5x, or a precision or policy such "
        "as w4a8: as much as that takes",
    )
    parser.add_argument("--out", required=True, help="YAML file to write")
    parser.add_argument("--quiet", action="store_true", help="no table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Assign, write the file, print the assignment beside the uniform ones."""
    from asr_qat.quantize.mixture import write_mixture
    from experiments.sensitivity.assignment import assign, uniform
    from experiments.sensitivity.layer_sensitivity import Sensitivity

    sensitivity = Sensitivity.load(args.sensitivity)
    mixture = assign(sensitivity, args.budget)
    widths = ", ".join(f"{n} layers {p}" for p, n in mixture.counts.items())
    write_mixture(
        args.out,
        mixture.overrides,
        f"asr-qat assign --sensitivity {args.sensitivity} --budget {args.budget}\n"
        f"{mixture.bytes:,} bytes of weights, {mixture.ratio:.2f} times smaller than float32; "
        f"expected divergence {mixture.divergence:.4g} nats an utterance\n{widths}",
    )
    if args.quiet:
        return
    names = list(next(iter(sensitivity.by_layer().values())))
    rows = [(f"all {name}", uniform(sensitivity, name)) for name in names]
    print(f"{'':<12}{'bytes':>14}{'ratio':>8}{'divergence':>12}  layers")
    for name, row in [*rows, ("mixture", mixture)]:
        layers = ", ".join(f"{count} {p}" for p, count in row.counts.items())
        print(f"{name:<12}{row.bytes:14,}{row.ratio:8.2f}{row.divergence:12.4g}  {layers}")
