"""`tflite-export inspect`."""

import argparse
import dataclasses
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tflite_export.commands.arguments import add_skip_checksum

if TYPE_CHECKING:
    from tflite_export.score.contents import Contents, DelegatedGraph, ListedConstant, LiveFacts


def add_parser(subparsers) -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser("inspect", help="what is inside a .tflite file")
    parser.add_argument("file", metavar="FILE", help=".tflite file")
    add_skip_checksum(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print sizes, operators, widths and what XNNPACK runs."""
    from asr_qat.provenance import provenance
    from tflite_export.score.inspect import inspect
    from tflite_export.silence import silence

    with silence():  # LiteRT announces its delegate, and prints what its exceptions say
        found = inspect(args.file, not args.skip_checksum)
    if args.json:
        print(json.dumps({**dataclasses.asdict(found), **provenance()}, indent=2))
    else:
        print(format_tables(found))


def format_tables(found: "Contents") -> str:
    """The result of `inspect` as aligned tables."""
    size = found.bytes
    whole = {"file": size, "compressed with zstd": found.wire_bytes}
    parts = {**whole, **vars(found.bytes_by_part)}
    sections = [
        ("bytes", _byte_rows(parts, size)),
        ("constants by type", _byte_rows(found.bytes_by_type, size)),
        ("constants by layer", _byte_rows(found.bytes_by_layer, size)),
        ("share of the elements by width", _width_rows(found.weight_widths)),
        ("tensors by type", [[name, f"{n:,}"] for name, n in found.tensor_types.items()]),
        ("operators", _operator_rows(found.operators)),
        ("run by XNNPACK", _delegated_rows(found.delegated)),
        ("custom and Flex operators", [[name] for name in found.custom_operators]),
        ("largest float constants", _constant_rows(found.largest_float)),
        ("folded tables", _constant_rows(found.folded_tables)),
    ]
    if found.live is not None:
        sections.insert(0, ("streams", _stream_rows(found.live)))
    if found.source is not None:
        known = {name: text for name, text in vars(found.source).items() if text is not None}
        sections.insert(0, ("source", [[name, text] for name, text in known.items()]))
    blocks = [f"{title}\n{_aligned(rows or [['none']])}" for title, rows in sections]
    title = found.path
    if found.precision is not None:
        title += f": {found.method} {found.widths}, normaliser {found.normalizer}"
    return "\n\n".join([title, *blocks])


def _stream_rows(live: "LiveFacts") -> list[list[str]]:
    chunks = " or ".join(f"{ms:g}" for ms in live.chunk_ms)
    look_ahead = ", ".join(f"{name} {ms:g} ms" for name, ms in live.look_ahead_ms.items())
    latency = ", ".join(f"{name} pass {ms:g} ms" for name, ms in live.latency_ms.items())
    return [
        ["chunks", f"of {chunks} ms"],
        ["left context", f"of {live.left_context_ms:g} ms in each block"],
        ["look-ahead", look_ahead],
        ["latency", latency],
    ]


def _byte_rows(sizes: dict[str, int], total: int) -> list[list[str]]:
    return [[name, f"{n:,}", f"{n / total:.1%}"] for name, n in sizes.items()]


def _width_rows(widths: dict[str, dict[str, float]]) -> list[list[str]]:
    columns = sorted({int(w) for shares in widths.values() for w in shares}, reverse=True)
    header = ["", *(f"{width} bits" for width in columns)]
    return [header] + [
        [name, *(f"{shares.get(str(width), 0):.1%}" for width in columns)]
        for name, shares in widths.items()
    ]


def _operator_rows(operators: dict[str, dict[str, int]]) -> list[list[str]]:
    rows = [["", *operators]]
    rows += [
        [name, *(str(found.get(name, 0)) for found in operators.values())]
        for name in operators["total"]
    ]
    return [*rows, ["all", *(str(sum(found.values())) for found in operators.values())]]


def _delegated_rows(delegated: "dict[str, DelegatedGraph | None]") -> list[list[str]]:
    rows = []
    for signature, found in delegated.items():
        if found is None:
            rows.append([signature, "LiteRT cannot prepare this graph"])
            continue
        pieces = f"{found.partitions} piece{'' if found.partitions == 1 else 's'}"
        rest = ", ".join(f"{count} {name}" for name, count in found.rest.items()) or "nothing"
        share = f"{found.delegated} of {found.operators} operators ({found.share:.1%})"
        rows.append([signature, f"{share} in {pieces}; not: {rest}"])
    return rows


def _constant_rows(constants: "Iterable[ListedConstant]") -> list[list[str]]:
    return [[c.layer, f"{c.bytes:,}", "x".join(map(str, c.shape)), c.used_by] for c in constants]


def _aligned(rows: list[list[str]]) -> str:
    """Columns padded to their widest cell; numbers to the right, words to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if index and cell[:1].isdigit() else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  " + "  ".join(cells).rstrip())
    return "\n".join(lines)
