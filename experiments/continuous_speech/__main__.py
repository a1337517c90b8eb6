"""`python -m experiments.continuous_speech`: six hours of LibriSpeech and AN4, one vocabulary."""

import sys
from pathlib import Path

from asr_qat.corpora.fallback import read_corpus
from asr_qat.corpora.locate import locate
from asr_qat.corpora.prepare import prepare
from asr_qat.errors import exit_code
from asr_qat.parser import Parser
from asr_qat.text.normalize import normalize
from asr_qat.text.tokenizer import Tokenizer
from experiments.continuous_speech.speakers import six_hours

WORD_PIECES = 256


def main() -> None:
    """Entry point."""
    sys.exit(exit_code("experiments.continuous_speech", _run))


def _run() -> None:
    parser = Parser(prog="experiments.continuous_speech", description=__doc__)
    parser.add_argument(
        "--librispeech",
        nargs="+",
        type=Path,
        metavar="FOLDER",
        help="in LibriSpeech's layout, or with a manifest.jsonl that names the speakers "
        "(default: look, then download train-clean-100)",
    )
    parser.add_argument("--an4", help="the AN4 archive (default: look, then download)")
    parser.add_argument("--out", type=Path, default=Path("work"))
    args = parser.parse_args()
    corpora = {
        "librispeech_six_hours": six_hours(args.librispeech or [locate("librispeech")]),
        "an4": read_corpus("an4", args.an4, fallback=False),
    }
    texts = [normalize(u.text) for corpus in corpora.values() for u in corpus.splits["train"]]
    args.out.mkdir(parents=True, exist_ok=True)
    vocabulary = args.out / "tokenizer.model"
    Tokenizer.train(texts, WORD_PIECES, "bpe").save(vocabulary)
    for name, corpus in corpora.items():
        prepare(corpus, args.out / name, tokenizer=vocabulary)


if __name__ == "__main__":
    main()
