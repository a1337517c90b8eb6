"""`tflite-export scale`."""

import argparse
from pathlib import Path

from tflite_export.commands.arguments import threads

HELP = """Write and run .tflite files of whole presets, from initial weights, and measure size,
speed and memory. A transducer's vocabulary and its labels per second of speech are those of
LibriSpeech: the folder --data, else $ASR_QAT_DATA/LibriSpeech, else a download of 7 GB.
Results: transducer_scale.json and .md, or scale.json and .md for CTC models."""


def add_parser(subparsers) -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser(
        "scale",
        help="size, speed and memory of whole presets, from initial weights",
        description=HELP,
    )
    parser.add_argument("--model", default="transducer", choices=("ctc", "transducer"))
    parser.add_argument(
        "--preset",
        nargs="+",
        default=["L"],
        choices=("S", "M", "L", "fastconformer_l", "fastconformer_xl"),
        help="(default: L)",
    )
    parser.add_argument(
        "--precisions",
        nargs="+",
        default=(),
        help="compared with float32, such as w2a8 or two_bit_all (default: the usual ones)",
    )
    parser.add_argument(
        "--name",
        help="of the results, without suffix (default: transducer_scale or scale)",
    )
    parser.add_argument("--data", help="folder that holds training parts of LibriSpeech")
    parser.add_argument(
        "--tokenizer",
        help="SentencePiece model (default: 1,024 word pieces learned from LibriSpeech's "
        "transcripts); a CTC model with one needs no LibriSpeech",
    )
    parser.add_argument("--work", default="work/scale", help="folder for the files")
    parser.add_argument("--keep", action="store_true", help="leave the files in --work")
    parser.add_argument("--results", default="results", help="folder for the results")
    parser.add_argument("--threads", type=threads, default=1, help="CPU threads")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Write the files, run them, write the results and print them."""
    import dataclasses

    from asr_qat import files
    from asr_qat.corpora.transcript_lengths import measure_lengths
    from asr_qat.quantize.policies import policy
    from asr_qat.text.tokenizer import Tokenizer
    from experiments.scale.scale import scale
    from experiments.scale.scale_table import scale_table

    for precision in args.precisions:
        policy(precision)
    rate = corpus = None
    if args.model == "ctc" and args.tokenizer:
        tokenizer = Tokenizer.load(args.tokenizer)
    else:
        lengths = measure_lengths(args.data, args.tokenizer, quiet=args.quiet)
        tokenizer = lengths.tokenizer
        if args.model == "transducer":
            rate, corpus = lengths.labels_per_second, lengths.corpus
    found = scale(
        args.model,
        args.preset,
        tokenizer,
        rate,
        args.work,
        args.threads,
        args.seed,
        args.keep,
        args.quiet,
        corpus,
        args.precisions,
    )
    name = args.name or ("scale" if args.model == "ctc" else "transducer_scale")
    table = scale_table(found)
    files.write_json(Path(args.results) / f"{name}.json", dataclasses.asdict(found))
    files.write_text(Path(args.results) / f"{name}.md", table)
    print(table, end="")
