"""`tflite-export verify`."""

import argparse
import dataclasses
import json
import sys
from typing import TYPE_CHECKING

from asr_qat.counted import counted
from asr_qat.errors import UserError, require
from tflite_export.commands.arguments import threads, whole_number

if TYPE_CHECKING:
    from tflite_export.score.device.report import CheckedProduct, DeviceReport

FAILED = 3  # exit code of a file that does not run as it should
MOST = 10_000  # utterances, rounds


def add_parser(subparsers) -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser(
        "verify",
        help="does a .tflite compute on this device what it should?",
        description="Compares a .tflite on this device with what its own integers give, and with "
        "its record, FILE.verify.npz, of the machine where that was made (--record). Exit code: 0 "
        f"within all bounds, {FAILED} not, 1 for mistakes in use.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help=".tflite file of a recogniser")
    parser.add_argument(
        "--record",
        action="store_true",
        help="make the record, on a machine that the file was tested on: nothing is compared",
    )
    parser.add_argument("--data", help="with --record: prepared folder, or a manifest (.jsonl)")
    parser.add_argument(
        "--split", default="test", help="of a prepared folder (default: %(default)s)"
    )
    parser.add_argument(
        "--utterances",
        type=whole_number("--utterances", 1, MOST),
        help="with --record: how many, spread over the split (default: 10); else the first ones of "
        "the record, on a slow device (default: all)",
    )
    parser.add_argument("--threads", type=threads, default=1, help="CPU threads")
    parser.add_argument(
        "--without-xnnpack",
        action="store_true",
        help="what a runtime computes that has no XNNPACK",
    )
    parser.add_argument(
        "--products-of",
        type=whole_number("--products-of", 0, MOST),
        metavar="N",
        help="utterances whose products are compared one by one (default: 3)",
    )
    parser.add_argument(
        "--rounds",
        type=whole_number("--rounds", 1, MOST),
        help="timed runs of each signature (default: 5)",
    )
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each file")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Make the record, or compare and print; leaves with `FAILED` outside of a bound."""
    if args.record:
        others = args.without_xnnpack or args.json or args.rounds or args.threads != 1
        plain = not others and args.products_of is None
        require(plain, "--record: with one thread and XNNPACK: leave the other options out")
        for file in args.files:
            _record(args, file)
        return
    require(args.data is None, "--data: is of --record: add that")
    failed = False
    for file in args.files:
        report = _report(args, file)
        failures, warnings = list(report.failures()), list(report.warnings())
        if args.json:
            said = {"within_bounds": not failures, "failures": failures, "warnings": warnings}
            print(json.dumps({**dataclasses.asdict(report), **said}), flush=True)
        else:
            print(in_words(report), flush=True)
        failed |= bool(failures)
    if failed:
        sys.exit(FAILED)


def _record(args: argparse.Namespace, file: str) -> None:
    from asr_qat.corpora.recordings import recordings
    from tflite_export.score.device.record import Record
    from tflite_export.score.device_record import UTTERANCES, make_record, spread
    from tflite_export.silence import silence

    if not args.data:
        raise UserError("--record: needs utterances: add --data, a prepared folder or a manifest")
    with silence():
        items = spread(recordings(args.data, args.split), args.utterances or UTTERANCES)
        record = make_record(file, items, args.quiet)
    place = Record.place(file)
    record.write(place)
    floor, count = record.about.floor, len(record.features)
    moved = f"features moved by 1e-7, {len(floor.changes)} times"
    size = f"{place.stat().st_size / 1e6:.2f} MB"
    changed = counted(floor.changed, "text")
    print(f"{place}: {counted(count, 'utterance')}, {size}; {moved}, change at most {changed}")


def _report(args: argparse.Namespace, file: str) -> "DeviceReport":
    from tflite_export.runtime.model_file import ModelFile
    from tflite_export.score.device.check import PRODUCTS_OF, ROUNDS, check
    from tflite_export.score.device.record import Record
    from tflite_export.silence import silence

    record = Record.read(Record.place(file), ModelFile.read(file).checksum.hex())
    with silence():
        return check(
            file,
            record if args.utterances is None else record.first(args.utterances),
            args.threads,
            not args.without_xnnpack,
            PRODUCTS_OF if args.products_of is None else args.products_of,
            args.rounds or ROUNDS,
            args.quiet,
        )


def in_words(report: "DeviceReport") -> str:
    """The report for people."""
    lines = [
        f"{report.file}, LiteRT {report.here.litert}",
        f"this device:  {report.here.processor}",
        f"the record's: {report.reference.processor}",
        "",
    ]
    for each in report.signatures:
        share = f"XNNPACK runs {each.delegated} of {each.operators} operators"
        lines.append(f"{each.name}: {each.ms:.1f} ms; {share}")
    lines += ["", *_product_lines(report.products), ""]
    lines.append(
        f"texts: {len(report.changed)} of {report.utterances} changed, "
        f"{report.changes_allowed} may (floor of the record: {report.floor.changed})"
    )
    lines += [f"  {each.id}: {each.reference!r} is {each.here!r}" for each in report.changed]
    if report.mean_logits is not None:
        lines.append(
            f"logits: differ by {report.mean_logits:.1e} in the mean, "
            f"{report.logits_allowed:.1e} may be (floor {report.floor.mean_logits:.1e}); "
            f"largest {report.max_logits:.1e}"
        )
    lines += [f"note: {each}" for each in report.warnings()]
    failures = list(report.failures())
    lines += [f"NOT within its bound: {each}" for each in failures]
    lines.append(
        "within all bounds" if not failures else "this device does not run it as it should"
    )
    return "\n".join(lines)


def _product_lines(products: "tuple[CheckedProduct, ...]") -> list[str]:
    """A line for each kind of product."""
    lines = []
    for kind in dict.fromkeys(product.kind for product in products):
        own = [product for product in products if product.kind == kind]
        rows, ties = sum(p.rows for p in own), sum(p.ties for p in own)
        wrong, error = sum(p.unexplained for p in own), max(p.max_error for p in own)
        lines.append(
            f"{counted(len(own), 'product')}, {kind}: largest error {error:.1e} of the range, "
            f"{max(p.bound for p in own):.1e} may be; "
            f"{rows:,} rows, {ties} with activations on a rounding edge, {wrong} not explained"
        )
    return lines
