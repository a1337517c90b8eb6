"""`asr-qat prepare`: a corpus becomes a folder that training reads."""

import argparse
from typing import TYPE_CHECKING

from asr_qat.commands.arguments import add_workers, workers
from asr_qat.counted import counted, time_of_audio
from asr_qat.errors import UserError

if TYPE_CHECKING:
    from asr_qat.corpora.prepare import Part

from asr_qat.text.normalizers import OF_TRAINING

MODEL_TYPES = ("char", "unigram", "bpe")  # of `Tokenizer`, whose import loads SentencePiece


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "prepare", help="turn a corpus into a folder that training reads"
    )
    parser.add_argument(
        "--corpus",
        help="an4, librispeech, synthetic, manifest, nemo, kaldi, lhotse, huggingface, "
        "audiofolder, common-voice, or auto: whatever lies at --data (default: auto with --data, "
        "else an4)",
    )
    parser.add_argument("--data", help="where the corpus lies (default: look, then download)")
    parser.add_argument("--out", required=True, help="folder to write")
    parser.add_argument("--vocab-size", type=int, default=1024, help="word pieces (%(default)s)")
    parser.add_argument(
        "--model-type", choices=MODEL_TYPES, default="unigram", help="(default: %(default)s)"
    )
    parser.add_argument("--tokenizer", help="use this SentencePiece model, train none")
    parser.add_argument(
        "--byte-fallback",
        action="store_true",
        help="word pieces for common characters only: the others are spelled in bytes, 256 of the "
        "word pieces",
    )
    parser.add_argument(
        "--normalizer",
        choices=OF_TRAINING,
        help="of the transcripts, and so of what is recognised: plain is upper case without "
        "punctuation, lower the same in lower case, verbatim as they are (default: that of the "
        "model directory in which the tokenizer lies, else plain)",
    )
    parser.add_argument("--shards", type=int, help="shards of each split (default: by size)")
    add_workers(parser, "shards written at once")
    parser.add_argument(
        "--shard",
        metavar="I/N",
        type=part,
        help="write the shards of machine I of 0 to N-1 alone, see --merge",
    )
    parser.add_argument(
        "--merge", action="store_true", help="finish the folder whose shards N machines wrote"
    )
    parser.add_argument("--strict", action="store_true", help="fail if an utterance cannot be used")
    parser.add_argument(
        "--no-fallback",
        dest="fallback",
        action="store_false",
        help="fail if AN4 is out of reach, do not prepare synthetic instead",
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.set_defaults(run=run)


def part(word: str) -> "Part":
    """Which of several machines this one is, from `I/N`."""
    from asr_qat.corpora.prepare import Part  # late: SentencePiece

    index, _, of = word.partition("/")
    if not (index.isdigit() and of.isdigit()):
        raise argparse.ArgumentTypeError(f"'{word}' is not I/N, such as 0/8")
    return Part(int(index), int(of))


def run(args: argparse.Namespace) -> None:
    """Prepare the corpus."""
    from asr_qat.corpora.fallback import read_corpus
    from asr_qat.corpora.prepare import prepare  # late: takes a second to load

    prepare(
        read_corpus(args.corpus, args.data, args.quiet, args.fallback),
        args.out,
        vocab_size=args.vocab_size,
        model_type=args.model_type,
        tokenizer=args.tokenizer,
        shards=args.shards,
        strict=args.strict,
        quiet=args.quiet,
        workers=workers(args),
        part=args.shard,
        merge=args.merge,
        normalizer=args.normalizer,
        byte_fallback=args.byte_fallback,
    )
    if args.shard is not None:
        if not args.quiet:
            of = args.shard.of - 1
            print(f"{args.out}: shards of machine {args.shard.index} of 0 to {of} done")
        return
    if not args.quiet:
        _print_facts(args)
    _refuse_unread(args.out)


def _refuse_unread(out: str) -> None:
    """Raise `UserError` if recordings could not be read; the folder is complete without them."""
    from asr_qat.corpora.prepared import UNREADABLE, PreparedFolder
    from asr_qat.counted import counted

    skipped = PreparedFolder(out).corpus["skipped"]
    unread = [line["detail"] for line in skipped if line["reason"] == UNREADABLE]
    if unread:
        raise UserError(
            f"{out}: complete, but without {counted(len(unread), 'recording')} that cannot be "
            f"read, such as {unread[0]}"
        )


def _print_facts(args: argparse.Namespace) -> None:
    from asr_qat.corpora.prepared import PreparedFolder
    from asr_qat.corpora.symbols import sentence

    prepared = PreparedFolder(args.out)
    print(prepared.corpus["description"])
    pieces = prepared.tokenizer.vocab_size
    fewer = args.tokenizer is None and pieces < args.vocab_size
    wanted = f" (of {args.vocab_size}: the texts have no more)" if fewer else ""
    print(
        f"{prepared.corpus['name']}: {pieces} word pieces{wanted}, normaliser {prepared.normalizer}"
    )
    for split, facts in prepared.corpus["splits"].items():
        skipped = "".join(f", {n} skipped: {why}" for why, n in facts["skipped"].items())
        outside = facts["outside_vocabulary"]
        outside = f", {outside} with characters outside the vocabulary" if outside else ""
        utterances = counted(facts["utterances"], "utterance")
        time = time_of_audio(3600 * facts["hours"])
        print(f"{split}: {utterances}, {time}{skipped}{outside}")
    dropped = prepared.corpus.get("dropped_symbols")
    if dropped:
        print(sentence(dropped, prepared.normalizer))
    dense = prepared.corpus.get("dense", [])
    if dense:
        print(
            f"train: {counted(len(dense), 'utterance')} with more labels than frames in an encoder "
            f"of subsampling_factor 8, such as {dense[0]}: fine by 4, or with longer word pieces"
        )
