"""`asr-qat check-assignment`."""

import argparse


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser(
        "check-assignment",
        help="measure what assignments do beside what is expected of them",
        description="Assign precisions within several budgets, round the weights of the whole "
        "model accordingly, and measure that beside the sum of the layers' sensitivities.",
    )
    parser.add_argument("--sensitivity", required=True, help="file of `asr-qat sensitivity`")
    parser.add_argument("--model", required=True, help="the float model directory of that file")
    parser.add_argument("--data", required=True, help="prepared folder")
    parser.add_argument("--split", default="dev", help="of the folder (default: dev)")
    parser.add_argument(
        "--budgets",
        nargs="+",
        required=True,
        help="as for `asr-qat assign`; a name such as w4a8 is measured itself, too",
    )
    parser.add_argument("--out", required=True, help="JSON file to write")
    parser.add_argument("--quiet", action="store_true", help="no progress, no table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Assign, measure, write the file and print a table."""
    import dataclasses

    from asr_qat import files
    from asr_qat.corpora.prepared import PreparedFolder
    from asr_qat.errors import require
    from asr_qat.models.model_directory import Recogniser, weights_checksum
    from asr_qat.provenance import provenance
    from experiments.sensitivity.assignment import assign, is_named, uniform
    from experiments.sensitivity.check_assignment import check_assignments
    from experiments.sensitivity.layer_sensitivity import Sensitivity, read_source

    sensitivity = Sensitivity.load(args.sensitivity)
    recogniser = Recogniser.load(args.model)
    checksum = weights_checksum(args.model)
    measured = read_source(args.sensitivity)
    require(
        measured.weights_sha256 == checksum, f"{args.sensitivity}: was measured with another model"
    )
    assignments = {}
    for budget in args.budgets:
        if is_named(budget):
            assignments[f"all {budget}"] = uniform(sensitivity, budget)
        assignments[f"mixture, {budget}"] = assign(sensitivity, budget)
    folder = PreparedFolder(args.data)
    rows = check_assignments(recogniser, folder, assignments, args.split, args.quiet)
    content = {
        "model": args.model,
        "weights_sha256": checksum,
        "corpus": folder.corpus["name"],
        "split": args.split,
        "rows": [dataclasses.asdict(row) for row in rows],
        **provenance(),
    }
    files.write_json(args.out, content)
    if args.quiet:
        return
    print(f"{'':<18}{'bytes':>13}{'expected':>10}{'measured':>10}  rise of the loss   layers")
    for row in rows:
        layers = ", ".join(f"{count} {name}" for name, count in row.layers.items())
        rise = f"{row.loss:+.3f} +- {row.loss_interval:.3f}"
        print(
            f"{row.name:<18}{row.bytes:13,}{row.expected:10.4f}{row.divergence:10.4f}"
            f"  {rise:<17}  {layers}"
        )
