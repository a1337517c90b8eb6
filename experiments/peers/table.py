"""The results of `python -m experiments.peers` in Markdown."""

from itertools import groupby

from experiments.peers.rows import NetworkRow, PeersResults
from experiments.reports.markdown import markdown_columns
from experiments.reports.targets import met_of, targets_table

SHOWN_MS = 0.5  # operators that take less are counted together


def peers_table(found: PeersResults) -> str:
    """The promises, then speed, start, profile and refusals of each network."""
    peers = ", ".join(f"{name} {version}" for name, version in found.peers.items())
    parts = [
        f"{met_of(found.targets)}\n",
        f"Encoders with random weights, {found.audio_seconds:g} s of audio, each file in a process "
        f"of its own, in turn; {peers}. `.onnx` is NeMo's export, its MatMul weights in 8, 4 or 2 "
        "bits by ONNX Runtime's quantizer.\n",
    ]
    for network in found.networks:
        parts.append(f"## {network.name}, {network.parameters / 1e6:.1f} M parameters\n")
        parts += [*_speed(network), *_start(network), *_operators(network), *_refused(network)]
    parts.append(f"All targets:\n\n{targets_table(found.targets)}")
    return "\n".join(parts)


def _speed(network: NetworkRow) -> list[str]:
    columns = ["Runtime", "File", "Weights", "MB", "CPU, ms", "Wall, ms", "Times int4's"]
    found = []
    for threads, rows in groupby(network.speed, key=lambda row: row.threads):
        cells = [
            [row.runtime, f"`{row.file}`", row.weights, f"{row.mb:.1f}", f"{row.cpu_ms:.1f}"]
            + [f"{row.wall_ms:.1f}", f"{row.times_int4:.2f}"]
            for row in rows
        ]
        what = f"{threads} thread{'s' if threads > 1 else ''}"
        found.append(f"{what}:\n\n{markdown_columns(columns, cells, 3)}")
    return found


def _start(network: NetworkRow) -> list[str]:
    columns = ["Runtime", "Weights", "MB", "First run, ms", "Anonymous, MB", "Peak, MB"]
    cells = [
        [row.runtime, row.weights, f"{row.mb:.1f}", f"{row.first_ms:.0f}"]
        + [f"{row.anonymous_mb:.0f}", f"{row.peak_mb:.0f}"]
        for row in network.start
    ]
    what = "Loading and the first run in a fresh process, one thread"
    return [f"{what}:\n\n{markdown_columns(columns, cells, 2)}"]


def _operators(network: NetworkRow) -> list[str]:
    found = []
    for (runtime, weights), rows in groupby(
        network.operators, key=lambda row: (row.runtime, row.weights)
    ):
        own = sorted(rows, key=lambda row: -row.ms)
        cells = [
            [row.operator, str(row.count), f"{row.ms:.1f}"] for row in own if row.ms >= SHOWN_MS
        ]
        rest = [row for row in own if row.ms < SHOWN_MS]
        total = sum(row.count for row in rest), sum(row.ms for row in rest)
        cells.append(["others", str(total[0]), f"{total[1]:.1f}"])
        table = markdown_columns(["Operator", "Count", "ms"], cells)
        how = "each alone" if runtime == "LiteRT" else "by its profiler"
        found.append(f"Operators of {weights} in {runtime}, {how}:\n\n{table}")
    return found


def _refused(network: NetworkRow) -> list[str]:
    lines = [
        f"- {row.runtime}, `{row.file}`, {row.weights}: `{row.message}`" for row in network.refused
    ]
    return ["Do not run:\n\n" + "\n".join(lines) + "\n"] if lines else []
