"""`tflite-export demo`."""

import argparse


def add_parser(subparsers) -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser(
        "demo", help="float model to proven 4-bit .tflite, a quarter hour"
    )
    parser.add_argument("--data", help="archive or folder of the corpus")
    parser.add_argument("--corpus", default="an4", choices=("an4", "asterisk"))
    parser.add_argument("--work", default="work/demo", help="folder for what is made on the way")
    parser.add_argument("--results", default="results", help="folder for the results")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of the interpreter")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Run the demo and print its table."""
    from tflite_export.demo import demo
    from tflite_export.report import markdown_table

    content = demo(args.data, args.work, args.results, args.corpus, args.threads, args.quiet)
    notice = content["corpus"]["notice"]
    print(markdown_table(content))
    if notice:
        print(f"\n{notice}")
    suffix = "" if content["corpus"]["name"] == "an4" else f"_{content['corpus']['name']}"
    print(f"\nwritten: {args.results}/demo{suffix}.json, .md, .png and .html")
