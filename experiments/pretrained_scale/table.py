"""The results of `python -m experiments.pretrained_scale` in Markdown."""

from experiments.pretrained_scale.rows import PretrainedScaleResults
from experiments.reports.markdown import markdown_columns
from experiments.reports.targets import met_of, targets_table

MB = 1e6  # bytes


def pretrained_scale_table(found: PretrainedScaleResults) -> str:
    """The promises, then files, exports, speed and start."""
    parts = [f"{met_of(found.targets)} All weights are random.\n"]
    if found.files:
        columns = ["Network", "Precision", "Parameters", "MB", "Ratio", "Export, s", "Peak, MB"]
        rows = [
            [row.network, row.precision, f"{row.parameters / 1e6:.1f} M", f"{row.bytes / MB:.1f}"]
            + [f"{row.ratio:.2f}x", f"{row.export_seconds:.0f}", f"{row.export_peak_mb:.0f}"]
            for row in found.files
        ]
        parts.append(
            f"Files, and the process that writes each:\n\n{markdown_columns(columns, rows, 2)}"
        )
    for each in found.before:
        columns = ["Code", "Seconds", "Peak, MB"]
        earlier = ", ".join(f"{seconds:.0f}" for seconds in each.before_seconds)
        now = ", ".join(f"{seconds:.0f}" for seconds in each.seconds)
        rows = [
            [f"`{each.commit}`", earlier, f"{each.before_peak_mb:.0f}"],
            ["this", now, f"{each.peak_mb:.0f}"],
            ["share", f"{each.time_ratio:.2f}", f"{each.memory_ratio:.2f}"],
        ]
        what = f"Export of the preset {each.preset} at {each.precision}, in turn"
        parts.append(f"{what}:\n\n{markdown_columns(columns, rows)}")
    if found.speed:
        columns = ["Runtime", "Weights", "MB", "CPU, ms", "RTF", "Times int4's"]
        rows = [
            [row.runtime, row.weights, f"{row.mb:.0f}", f"{row.cpu_ms:.0f}", f"{row.rtf:.4f}"]
            + [f"{row.slower:.2f}"]
            for row in found.speed
        ]
        what = f"The encoder of {found.speed_network}, {found.audio_seconds:g} s of audio"
        parts.append(f"{what}, one thread, in turn:\n\n{markdown_columns(columns, rows, 2)}")
    if found.start:
        columns = ["Runtime", "Weights", "MB", "First run, ms", "Anonymous, MB", "Peak, MB"]
        rows = [
            [row.runtime, row.weights, f"{row.mb:.0f}", f"{row.first_ms:.0f}"]
            + [f"{row.anonymous_mb:.0f}", f"{row.peak_mb:.0f}"]
            for row in found.start
        ]
        what = "Loading and the first run in a fresh process"
        parts.append(f"{what}:\n\n{markdown_columns(columns, rows, 2)}")
    parts.append(f"All targets:\n\n{targets_table(found.targets)}")
    return "\n".join(parts)
