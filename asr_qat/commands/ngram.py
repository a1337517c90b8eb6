"""`asr-qat ngram`: a language model of transcripts, for beam searches."""

import argparse
from pathlib import Path

from asr_qat.commands.arguments import positive_int


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
    parser.add_argument("--order", type=positive_int, default=3, help="words (%(default)s)")
    parser.add_argument("-o", "--output", required=True, help="ARPA file to write")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Read the texts, estimate the model and write it."""
    from asr_qat.decoding.arpa import write_arpa
    from asr_qat.decoding.kneser_ney import estimate

    sentences = [text for data in args.data for text in _texts(Path(data), args.split)]
    model = estimate(sentences, args.order)
    write_arpa(args.output, model)
    counts = ", ".join(f"{len(grams):,} of {n}" for n, grams in enumerate(model.grams, start=1))
    print(f"{args.output}: {len(sentences):,} sentences; n-grams by words: {counts}")


def _texts(path: Path, split: str) -> list[str]:
    """Normalised, as those that recognisers are trained on."""
    from asr_qat import files
    from asr_qat.corpora.recordings import recordings
    from asr_qat.text.normalize import normalize

    if path.is_dir() or path.suffix == ".jsonl":
        return [item.text for item in recordings(path, split)]
    return [normalize(line) for line in files.read_text(path).split("\n")]
