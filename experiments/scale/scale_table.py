"""The results of `tflite-export scale` in Markdown."""

from experiments.reports.markdown import markdown_table
from experiments.reports.targets import targets_table
from experiments.scale.scale_rows import ScaleResults, ScaleRow

NONE = "–"
MB = 1e6  # bytes


def scale_table(found: ScaleResults) -> str:
    """A line for each file, then the sizes of the presets, then how it was measured."""
    columns = ["File", "MB", "Smaller", "Paper", "Encode, ms", "Predict, ms", "Join, ms", "RTF"]
    columns += ["Faster", "Peak MB", "of float", "Export, s", "Export peak, GB"]
    counted = all(row.wire_bytes is not None for row in found.rows)
    columns += ["Compressed MB"] * counted
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)]]
    lines += [[*_file(row), *[f"{(row.wire_bytes or 0) / MB:.1f}"] * counted] for row in found.rows]
    tables = markdown_table(lines)
    if found.targets:
        tables += f"\n{targets_table(found.targets)}"
    compared = {name: t for name, t in found.presets.items() if t.deviation is not None}
    if compared:
        lines = [["Preset", "Parameters", "Paper", "Deviation"], ["---", "---:", "---:", "---:"]]
        lines += [
            [
                name,
                f"{t.parameters:,}",
                f"{(t.paper_parameters or 0) / 1e6:.1f} M",
                f"{t.deviation:+.2%}",
            ]
            for name, t in compared.items()
        ]
        tables += f"\n{markdown_table(lines)}"
    return f"{tables}\n{_notes(found)}\n"


def _file(row: ScaleRow) -> list[str]:
    def shown(value: float | None, form: str) -> str:
        return NONE if value is None else format(value, form)

    return [
        row.name,
        f"{row.bytes / MB:.1f}",
        f"{row.ratio:.2f}x",
        NONE if row.paper_ratio is None else f"{row.paper_ratio:.1f}x",
        f"{row.encode_ms:.0f}",
        shown(row.predict_ms, ".2f"),
        shown(row.join_ms, ".2f"),
        f"{row.rtf:.4f}",
        f"{row.speedup:.2f}x",
        f"{row.peak_rss_mb:.0f}",
        f"{row.memory_ratio:.2f}",
        f"{row.convert_seconds:.0f}",
        f"{row.convert_peak_rss_mb / 1024:.1f}",
    ]


def _notes(found: ScaleResults) -> str:
    notes = [
        f"Whole files with {found.vocabulary:,} word pieces, from initial weights; "
        f"{found.audio_seconds:g} s of audio, {found.rows[0].threads} thread(s), "
        f"{found.hardware.cpu}. Peaks are of fresh processes."
    ]
    if found.rows[0].wire_bytes is not None:
        notes.append("Compressed: the file on the wire, with zstd at its default level.")
    if found.labels_per_second is not None:
        corpus = (found.labels_of or "elsewhere").split(". ")[0].rstrip(".")
        notes.append(
            "The real-time factor (RTF) is of a whole utterance: encode once, join at each frame "
            "and each label, predict at the start and after each label, at "
            f"{found.labels_per_second:.2f} labels a second (measured: {corpus})."
        )
        notes.append(
            "Paper: Ding et al. (2022, arXiv 2203.15952, abstract), 5.8x on LibriSpeech, 5x "
            "with mixed 4 and 8 bits in a large-scale system; parameters: Gulati et al. (2020)."
        )
    return "\n".join(notes)
