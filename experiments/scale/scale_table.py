"""The results of `tflite-export scale` in Markdown."""

from typing import Any

NONE = "–"
MB = 1e6  # bytes


def scale_table(content: dict[str, Any]) -> str:
    """A line for each file, then the sizes of the presets, then how it was measured."""
    columns = ["File", "MB", "Smaller", "Paper", "Encode, ms", "Predict, ms", "Join, ms", "RTF"]
    columns += ["Faster", "Peak MB", "of float", "Export, s", "Export peak, GB"]
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)]]
    lines += [_file(row) for row in content["rows"]]
    tables = _table(lines)
    compared = {name: t for name, t in content["presets"].items() if "deviation" in t}
    if compared:
        lines = [["Preset", "Parameters", "Paper", "Deviation"], ["---", "---:", "---:", "---:"]]
        lines += [
            [
                name,
                f"{t['parameters']:,}",
                f"{t['paper_parameters'] / 1e6:.1f} M",
                f"{t['deviation']:+.2%}",
            ]
            for name, t in compared.items()
        ]
        tables += f"\n{_table(lines)}"
    return f"{tables}\n{_notes(content)}\n"


def _file(row: dict[str, Any]) -> list[str]:
    def ms(name: str, digits: int) -> str:
        return f"{row[name]:.{digits}f}" if name in row else NONE

    paper = row.get("paper_ratio")
    return [
        row["name"],
        f"{row['bytes'] / MB:.1f}",
        f"{row['ratio']:.2f}x",
        f"{paper:.1f}x" if paper else NONE,
        ms("encode_ms", 0),
        ms("predict_ms", 2),
        ms("join_ms", 2),
        f"{row['rtf']:.4f}",
        f"{row['speedup']:.2f}x",
        f"{row['peak_rss_mb']:.0f}",
        f"{row['memory_ratio']:.2f}",
        f"{row['convert_seconds']:.0f}",
        f"{row['convert_peak_rss_mb'] / 1024:.1f}",
    ]


def _notes(content: dict[str, Any]) -> str:
    threads = content["rows"][0]["threads"]
    notes = [
        f"Whole files with {content['vocabulary']:,} word pieces, from initial weights; "
        f"{content['audio_seconds']:g} s of audio, {threads} thread(s), "
        f"{content['hardware']['cpu']}. Peaks are of fresh processes."
    ]
    if content["labels_per_second"] is not None:
        notes.append(
            "The real-time factor (RTF) is of a whole utterance: encode once, join at each frame "
            "and each label, predict at the start and after each label, at "
            f"{content['labels_per_second']:.2f} labels a second (measured: "
            f"{content['labels_of'].split('. ')[0].rstrip('.')})."
        )
        notes.append(
            "Paper: Ding et al. (2022, arXiv 2203.15952, abstract), 5.8x on LibriSpeech, 5x "
            "with mixed 4 and 8 bits in a large-scale system; parameters: Gulati et al. (2020)."
        )
    return "\n".join(notes)


def _table(lines: list[list[str]]) -> str:
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
