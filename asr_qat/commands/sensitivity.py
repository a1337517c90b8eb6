"""`asr-qat sensitivity`."""

import argparse

from asr_qat.commands.arguments import positive_int


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser(
        "sensitivity",
        help="measure what fewer bits do to each layer",
        description="Round the weights of one layer of a float model at a time and measure how "
        "far that moves the model on development data. `asr-qat assign` reads the result.",
    )
    parser.add_argument("--model", required=True, help="float model directory")
    parser.add_argument("--data", required=True, help="prepared folder")
    parser.add_argument(
        "--precisions",
        nargs="+",
        default=["w8a8", "w4a8", "w2a8"],
        help="to choose from (default: w8a8 w4a8 w2a8)",
    )
    parser.add_argument("--split", default="dev", help="of the folder (default: dev)")
    parser.add_argument("--utterances", type=positive_int, help="about how many (default: all)")
    parser.add_argument("--out", required=True, help="JSON file to write")
    parser.add_argument("--quiet", action="store_true", help="no progress, no table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Measure, write the file, print the layers that fewest bits harm most."""
    import dataclasses

    from asr_qat import files
    from asr_qat.corpora.prepared import PreparedFolder
    from asr_qat.models.model_directory import Recogniser, weights_checksum
    from asr_qat.provenance import provenance
    from asr_qat.quantize.sensitivity import measure_sensitivity

    folder = PreparedFolder(args.data)
    sensitivity = measure_sensitivity(
        Recogniser.load(args.model),
        folder,
        tuple(args.precisions),
        args.split,
        args.utterances,
        args.quiet,
    )
    content = {
        "model": args.model,
        "weights_sha256": weights_checksum(args.model),
        "corpus": folder.corpus["name"],
        "split": args.split,
        **dataclasses.asdict(sensitivity),
        **provenance(),
    }
    files.write_json(args.out, content)
    if args.quiet:
        return
    layers = sensitivity.by_layer()
    print(f"{'divergence, nats an utterance':<32}" + "".join(f"{n:>12}" for n in args.precisions))
    for layer, own in layers.items():
        figures = "".join(f"{own[name].divergence:12.5f}" for name in args.precisions)
        print(f"{layer:<32}{figures}")
