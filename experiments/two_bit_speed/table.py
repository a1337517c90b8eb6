"""The results of `python -m experiments.two_bit_speed` in Markdown."""

from experiments.reports.markdown import markdown_columns
from experiments.reports.targets import NONE, met_of, targets_table
from experiments.two_bit_speed.rows import FileRow, TwoBitSpeedResults

WORDS = {True: "yes", False: "no", None: NONE}


def two_bit_speed_table(found: TwoBitSpeedResults) -> str:
    """The promises, then the files of each network."""
    columns = ["Weights", "MB", "CPU, ms", "Speed", "Load, ms", "First run, ms"]
    columns += ["Anonymous, MB", "Peak, MB", "Same bits"]
    parts = [
        f"{met_of(found.targets)}\n",
        f"Encoders with random weights, {found.audio_seconds:g} s of audio, one thread, in turn. "
        "Speed is a share of the 4-bit file's; the first run includes loading; same bits are those "
        "of the 2-bit file as it is. "
        f"On this machine `auto` computes with {found.automatic} bits.\n",
    ]
    for network in found.networks:
        name = f"{network.preset}, {network.parameters / 1e6:.1f} M parameters"
        rows = [_cells(file) for file in network.files]
        parts.append(f"{name}:\n\n{markdown_columns(columns, rows)}")
    parts.append(f"All targets:\n\n{targets_table(found.targets)}")
    return "\n".join(parts)


def _cells(file: FileRow) -> list[str]:
    numbers = [f"{file.mb:.1f}", f"{file.cpu_ms:.1f}", f"{file.speed:.2f}x", f"{file.load_ms:.0f}"]
    numbers += [f"{file.first_ms:.0f}", f"{file.anonymous_mb:.0f}", f"{file.peak_mb:.0f}"]
    return [file.weights, *numbers, WORDS[file.identical]]
