"""The results of `python -m experiments.prepare_scale` in Markdown, and what follows on paper."""

from experiments.prepare_scale.rows import PrepareScaleResults
from experiments.reports.markdown import markdown_table
from experiments.reports.targets import met_of, targets_table

PAPER_HOURS = 100_000
PAPER_CORES = (2, 64, 1024)
HOUR = 3600.0  # seconds
TB = 1e12  # bytes


def prepare_scale_table(found: PrepareScaleResults) -> str:
    """The promises, the runs, the object store, then 100,000 hours on paper."""
    parts = [
        f"{met_of(found.targets)} {found.audio_hours:.1f} hours, "
        f"{found.utterances} utterances. {found.corpus}",
        _runs(found),
        _store(found),
        _paper(found),
        _layouts(found),
    ]
    parts.append(f"All targets:\n\n{targets_table(found.targets)}")
    return "\n".join(part for part in parts if part)


def _runs(found: PrepareScaleResults) -> str:
    columns = ["Executor", "Workers", "Seconds", "Hours of audio a second", "Speed-up", "Folder"]
    lines = [columns, ["---", "---:", "---:", "---:", "---:", "---"]]
    for row in found.rows:
        rate, same = found.audio_hours / row.seconds, "identical" if row.identical else "DIFFERS"
        figures = [str(row.workers), f"{row.seconds:.1f}", f"{rate:.3f}", f"{row.speed_up:.2f}"]
        lines.append([row.executor, *figures, same])
    return (
        f"\nOne core prepares {found.hours_per_core_second:.3f} hours of audio a second "
        f"({found.hours_per_core_second * HOUR:.0f} times as fast as it is spoken). The whole "
        "command, its start of some seconds included; Ray: a cluster of two nodes with a core "
        f"each, on the same machine:\n\n{markdown_table(lines)}"
    )


def _store(found: PrepareScaleResults) -> str:
    if not found.store:
        return ""
    lines = [["Place", "Prepare, s", "Train, s", "Mean loss"], ["---", "---:", "---:", "---:"]]
    for row in found.store:
        lines.append(
            [row.place, f"{row.prepare_seconds:.1f}", f"{row.train_seconds:.1f}", f"{row.loss:.6f}"]
        )
    return (
        f"The same folder and {found.steps} steps of the same training on disk and in an object "
        f"store, a server on the same machine in one thread:\n\n{markdown_table(lines)}"
    )


def _layouts(found: PrepareScaleResults) -> str:
    columns = ["Layout", "Instance", "Written by", "Recognised as", "Words", "Samples"]
    lines = [columns, ["---"] * len(columns)]
    for row in found.layouts:
        words = "the same" if row.same_words else "OTHERS"
        samples = "the same" if row.same_samples else f"correlation {row.correlation:.4f}"
        lines.append([row.layout, row.instance, row.library, row.recognised, words, samples])
    return f"Small instances of other layouts, prepared and heard again:\n\n{markdown_table(lines)}"


def _paper(found: PrepareScaleResults) -> str:
    """Seconds of this corpus, times how many of it there are in `PAPER_HOURS`."""
    times = PAPER_HOURS / found.audio_hours
    cores = times * found.stages.core_seconds / HOUR
    # The machines read and plan before they write; then one reads, plans and merges.
    read, merge = found.stages.read_seconds, found.stages.merge_seconds
    serial = times * 2 * (read + merge) / HOUR
    lines = [["Cores", "Shards, h", "Alone: read, plan, merge, h", "All, h", "Bottleneck"]]
    lines.append(["---:", "---:", "---:", "---:", "---"])
    for number in PAPER_CORES:
        shared = cores / number
        which = "the cores" if shared > serial else "what one process does alone"
        figures = [f"{shared:.1f}", f"{serial:.1f}", f"{shared + serial:.1f}"]
        lines.append([str(number), *figures, which])
    vocabulary = times * found.stages.vocabulary_seconds / HOUR
    size = times * found.folder_bytes / TB
    return (
        f"{PAPER_HOURS:,} hours on paper, {times:,.0f} times this corpus: {cores:,.0f} core hours, "
        f"{times * found.utterances / 1e6:.0f} million utterances, {size:.1f} TB of shards to "
        "write and as much audio to read. A vocabulary of all texts would take "
        f"{vocabulary:.1f} hours if it grew no faster than they do: give `--tokenizer` one of a "
        f"part of them.\n\n{markdown_table(lines)}"
    )
