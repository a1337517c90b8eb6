"""`asr-qat import`."""

import argparse

from asr_qat.text.normalizers import OF_TRAINING, PLAIN


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser(
        "import", help="make a model directory of a checkpoint from NeMo or Hugging Face"
    )
    parser.add_argument("checkpoint", help=".nemo archive, or folder of transformers")
    parser.add_argument("--out", required=True, help="model directory to make")
    parser.add_argument(
        "--head",
        choices=("ctc", "transducer"),
        help="of a network with both; without, the transducer",
    )
    parser.add_argument("--licence", help="of the weights, such as CC-BY-4.0")
    parser.add_argument("--attribution", help="who is to be named with the weights")
    parser.add_argument(
        "--normalizer",
        choices=OF_TRAINING,
        default=PLAIN,
        help="of the texts it recognises, by which it is scored and trained on: verbatim for one "
        "with punctuation and capitals (default: %(default)s)",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Import the checkpoint."""
    from asr_qat.pretrained.import_checkpoint import import_checkpoint

    import_checkpoint(
        args.checkpoint,
        args.out,
        args.head,
        args.licence,
        args.attribution,
        args.quiet,
        args.normalizer,
    )
