"""`tflite-export page`."""

import argparse
from pathlib import Path

from asr_qat.errors import UserError
from tflite_export.commands.arguments import (
    add_endpoint,
    add_skip_checksum,
    endpoint_of,
    whole_number,
)


def add_parser(subparsers) -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser(
        "page", help="write a static page that recognises in the browser that opens it"
    )
    parser.add_argument("file", metavar="FILE", help=".tflite file, not full-integer")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the page")
    parser.add_argument(
        "--litertjs",
        metavar="FOLDER",
        help="folder with the archives of LiteRT.js as `npm pack` writes them (default: from npm)",
    )
    parser.add_argument(
        "--about", help="what the page says of the model (default: its file and its look-ahead)"
    )
    parser.add_argument(
        "--serve",
        type=whole_number("--serve", 0, 65535),
        metavar="PORT",
        help="then serve it to this machine, 0 for any free port, until Ctrl-C",
    )
    add_endpoint(parser)
    add_skip_checksum(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Write the page, and print what a browser reads of it."""
    from tflite_export.browser.page import write_page

    page = write_page(
        args.file,
        args.out,
        args.litertjs,
        endpoint_of(args),
        args.about,
        verify=not args.skip_checksum,
    )
    wide = ", weights of 2 bits widened to 4" if page.widened else ""
    print(f"{args.out}: {page.read_bytes:,} bytes that a browser reads{wide}")
    if args.serve is not None:
        _serve(page.folder, args.serve)


def _serve(folder: Path, port: int) -> None:
    import contextlib
    import threading

    from tflite_export.browser.server import serving

    with contextlib.ExitStack() as stack:
        try:
            address = stack.enter_context(serving(folder, port=port))
        except OSError as error:
            raise UserError(f"--serve {port}: {error.strerror}: name another port, or 0") from None
        stack.enter_context(contextlib.suppress(KeyboardInterrupt))
        print(f"{address}  (Ctrl-C ends)", flush=True)
        threading.Event().wait()
