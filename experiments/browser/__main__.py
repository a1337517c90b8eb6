"""`python -m experiments.browser`: a live file in a browser, beside the same file in Python."""

import sys
import tempfile
from pathlib import Path

from asr_qat.corpora.recordings import recordings
from asr_qat.errors import exit_code
from asr_qat.parser import Parser
from asr_qat.provenance import Provenance
from experiments.browser.measure import compare, webgpu
from experiments.browser.rows import BrowserResults
from experiments.browser.table import browser_table
from experiments.reports.write import write_results
from tflite_export.browser.page import write_page
from tflite_export.runtime.live.live_model import load_model
from tflite_export.runtime.metadata import read_metadata
from tflite_export.silence import silence

PROGRAM = "experiments.browser"
PIECE_MS = 120
THREADS = (1, 2)


def main() -> None:
    """Entry point."""
    sys.exit(exit_code(PROGRAM, _run))


def build_parser() -> Parser:
    """The parser of the command."""
    parser = Parser(prog=PROGRAM, description=__doc__)
    parser.add_argument("file", type=Path, help=".tflite file of a live model")
    parser.add_argument("--data", default="work/an4", help="prepared folder (default: %(default)s)")
    parser.add_argument("--split", default="test", help="of it (default: %(default)s)")
    parser.add_argument("--limit", type=int, help="so many recordings (default: all)")
    parser.add_argument("--litertjs", metavar="FOLDER", help="as of tflite-export page")
    parser.add_argument(
        "--webgpu", type=Path, nargs="*", default=[], help="further files to try on WebGPU"
    )
    parser.add_argument("--out", type=Path, default=Path("results/browser.json"))
    parser.add_argument("--quiet", action="store_true", help="no progress")
    return parser


def _run() -> None:
    args = build_parser().parse_args()
    items = recordings(args.data, args.split)[: args.limit]
    metadata = read_metadata(args.file)
    with silence():  # LiteRT announces its delegate
        model = load_model(args.file)
    with tempfile.TemporaryDirectory() as folder:
        page = write_page(args.file, folder, args.litertjs)
        measured = compare(page, model, items, PIECE_MS, THREADS, args.quiet)
        gpu = tuple(webgpu(path, page, args.litertjs) for path in (args.file, *args.webgpu))
    found = BrowserResults(
        **vars(Provenance.of_this_run()),
        file=args.file.name,
        method=metadata.method,
        widths=metadata.widths,
        data=f"{Path(args.data).name} ({args.split})",
        webgpu=gpu,
        **measured,
    ).with_targets()
    print(write_results(found, args.out, browser_table), end="")


if __name__ == "__main__":
    main()
