"""`asr-qat ngram`: a language model of transcripts, for beam searches."""

import argparse

from asr_qat.commands.arguments import positive_int
from asr_qat.counted import counted
from asr_qat.text.normalizers import OF_TRAINING, PLAIN, training_normalizer


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("ngram", help="make an n-gram language model from texts")
    parser.add_argument(
        "--data",
        nargs="+",
        required=True,
        help="prepared folders, manifests (.jsonl), or text files with a sentence in each line",
    )
    parser.add_argument("--split", default="train", help="of prepared folders (%(default)s)")
    parser.add_argument(
        "--normalizer",
        choices=OF_TRAINING,
        help="of the texts: that of the recogniser which the model is for (default: that of "
        "prepared folders, else plain)",
    )
    parser.add_argument("--order", type=positive_int, default=3, help="words (%(default)s)")
    parser.add_argument("-o", "--output", required=True, help="ARPA file to write")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Read the texts, estimate the model and write it."""
    from asr_qat.decoding.arpa import write_arpa
    from asr_qat.decoding.kneser_ney import estimate

    sentences = [text for data in args.data for text in _texts(data, args)]
    model = estimate(sentences, args.order)
    write_arpa(args.output, model)
    counts = ", ".join(f"{len(grams):,} of {n}" for n, grams in enumerate(model.grams, start=1))
    print(f"{args.output}: {counted(len(sentences), 'sentence')}; n-grams by words: {counts}")


def _texts(data: str, args: argparse.Namespace) -> list[str]:
    """Those with words, normalised as those that recognisers are trained on."""
    from asr_qat import files
    from asr_qat.corpora.recordings import recordings

    path = files.place(data)
    if path.is_dir() or path.suffix == ".jsonl":
        texts = [item.text for item in recordings(path, args.split, args.normalizer)]
    else:
        change = training_normalizer(args.normalizer or PLAIN)
        texts = [change(line) for line in files.read_lines(path)]
    return [text for text in texts if text]
