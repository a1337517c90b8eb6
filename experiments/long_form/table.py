"""`results/long_form.json` in Markdown."""

from experiments.long_form.rows import LongFormResults
from experiments.reports.markdown import markdown_columns
from experiments.reports.targets import met_of, targets_table


def long_form_table(found: LongFormResults) -> str:
    """The page, which opens with the answer."""
    parts = [f"{met_of(found.targets)} {found.data}, one thread."]
    if found.hours:
        parts += ["## Long recordings", _hours(found)]
    if found.times:
        about = (
            "Beside a forced alignment of the transcripts by a float CTC model; median and 95% of "
            "the errors of right words. *Late* is found on other recordings and taken off. *After "
            "speech*: the end of the last word less that of the speech by level."
        )
        parts += ["## Times and confidences", about, _times(found)]
    if found.searches:
        about = (
            "N-grams of the training texts; weight and bonus are chosen on other recordings. The "
            "real-time factor is of all work but reading files."
        )
        parts += ["## Language model", about, _searches(found)]
    parts += ["## Targets", targets_table(found.targets)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _hours(found: LongFormResults) -> str:
    columns = ["File", "Minutes", "Recordings", "Peak, MB", "RTF", "Utterances", "Words"]
    columns += ["Different", "Lost at cuts", "Doubled at cuts", "WER", "WER one by one"]
    rows = [
        [row.name, f"{row.seconds / 60:.0f}", str(row.recordings), f"{row.peak_mb:.0f}"]
        + [f"{row.rtf:.4f}", str(row.utterances), str(row.words), str(row.different)]
        + [str(row.lost), str(row.doubled), _rate(row.wer), _rate(row.wer_alone)]
        for row in found.hours
    ]
    return markdown_columns(columns, rows, 1)


def _rate(wer: float | None) -> str:
    return "" if wer is None else f"{wer:.1%}"


def _times(found: LongFormResults) -> str:
    columns = ["File", "Kind", "Words", "Late, ms", "Begin, ms", "End, ms", "After speech, ms"]
    columns += ["AUC of confidence", "Calibration error"]
    rows = [
        [row.name, row.kind, str(row.words), f"{row.late_ms:.0f}", _pair(row.start_ms)]
        + [_pair(row.end_ms), f"{row.speech_end_ms:.0f}", f"{row.confidence_auc:.3f}"]
        + [f"{row.calibration_error:.3f}"]
        for row in found.times
    ]
    return markdown_columns(columns, rows, 2)


def _searches(found: LongFormResults) -> str:
    columns = ["File", "Kind", "Search", "Beam", "Weight", "Bonus", "WER", "RTF"]
    rows = [
        [row.name, row.kind, row.search, str(row.beam or ""), f"{row.lm_weight:g}"]
        + [f"{row.word_bonus:g}", f"{row.wer:.1%}", f"{row.rtf:.4f}"]
        for row in found.searches
    ]
    return markdown_columns(columns, rows, 3)


def _pair(values: tuple[float, float]) -> str:
    return f"{values[0]:.0f}, {values[1]:.0f}"
