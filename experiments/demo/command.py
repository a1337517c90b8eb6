"""`tflite-export demo`."""

import argparse

from tflite_export.commands.arguments import threads


def add_parser(subparsers) -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser(
        "demo", help="float model to proven 4-bit .tflite, in about 20 minutes"
    )
    parser.add_argument("--data", help="archive or folder of the corpus")
    parser.add_argument("--corpus", default="an4", choices=("an4", "synthetic"))
    parser.add_argument("--model", default="ctc", choices=("ctc", "transducer"))
    parser.add_argument("--work", default="work/demo", help="folder for intermediate files")
    parser.add_argument("--results", help="folder for the results (default: results in --work)")
    parser.add_argument("--threads", type=threads, default=1, help="CPU threads of the interpreter")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Run the demo and print its table."""
    from experiments.demo.demo import demo, result_names
    from experiments.demo.demo_page import markdown_table

    results = args.results or f"{args.work}/results"
    found = demo(args.data, args.work, results, args.corpus, args.threads, args.quiet, args.model)
    print(markdown_table(found))
    name, _ = result_names(found.corpus.name, args.model)
    print(f"\nthe page: {results}/{name}.html; beside it .json, .md and .png")
