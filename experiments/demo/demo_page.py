"""Results as a Markdown table and as one self-contained page."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from asr_qat import files
from experiments.demo.demo_rows import DemoResults, EqualityResults, ModelEquality
from experiments.reports.page_parts import (
    BYTES_PER_MB,
    MARGIN_POINTS,
    NONE,
    Table,
    duration,
    interval,
    origin,
    points,
    render,
    verdict,
    verdict_note,
)
from experiments.reports.wer_size_plot import TITLE, svg_wer_against_size
from tflite_export.score.equivalence import Judgement, judge
from tflite_export.score.rows import ComparedFile, ScoredFile

NATIVE = "native-qat"
FLOAT = "float"
FLOAT_ROW = "float32"  # what rows are compared with that name no other `baseline`
SAID = {
    "lossless": f"lossless within {MARGIN_POINTS}",
    "worse": "worse",
    "better": "better",
    "not shown": f"not shown to be lossless within {MARGIN_POINTS}",
}
BESIDE_TITLE = "Beside it, on the same recordings"
QUALITY_NOTE = (
    "WER and CER in percent, differences in percentage points. 1 MB = 1,000,000 bytes. Intervals "
    "are bootstraps over the utterances; that of a difference is paired: both models on the same "
    "draw."
)
DEVICE_NOTE = (
    "Logits off: from those of the Keras model. RTF: processing time over audio time. Latency: one "
    "utterance, from samples to text. Memory: of a fresh process, Python included; 1 MB = 2^20 "
    "bytes."
)
CAPTION = (
    "Files of about the same size are drawn one above the other. The bars are each model's own "
    "95% interval; they may overlap even where the paired difference is clear."
)

Column = tuple[str, Callable[[Any], str]]  # title, and what it says of a row


def quality_columns(results: DemoResults) -> tuple[Column, ...]:
    """Size and error rates, with a verdict on each row that is compared with float32."""

    def widened(row: ScoredFile) -> str:
        judgement = judged(row, results)
        if judgement is None:
            return NONE
        said = points(row.wer_diff, judgement.interval)
        return said if _baseline(row) == FLOAT_ROW else f"{said} to {_baseline(row)}"

    return (
        ("Model", lambda row: row.name),
        ("Precision", lambda row: row.precision),
        ("Method", lambda row: row.method),
        ("MB", lambda row: f"{row.bytes / BYTES_PER_MB:.2f}"),
        ("Smaller", lambda row: f"{row.ratio:.1f}x"),
        ("WER % [95%]", lambda row: f"{100 * row.wer:.1f} {interval(row.wer_ci)}"),
        ("Difference [95%, widened]", widened),
        ("Verdict", lambda row: verdict(judged(row, results))),
        ("CER %", lambda row: f"{100 * row.cer:.1f}"),
    )


DEVICE: tuple[Column, ...] = (
    ("Same text as Keras", lambda row: f"{row.identical_hypotheses:.1%}"),
    (
        "Logits off, median / most",
        lambda row: f"{row.median_logit_diff:.2g} / {row.max_logit_diff:.2g}",
    ),
    ("RTF", lambda row: f"{row.rtf:.3f}"),
    (
        "Latency p50 / p95 / p99, ms",
        lambda row: " / ".join(f"{ms:.0f}" for ms in vars(row.latency_ms).values()),
    ),
    ("Threads", lambda row: str(row.threads)),
    ("Peak memory, MB", lambda row: f"{row.peak_rss_mb:.0f}"),
)
DIFFERENT: tuple[Column, ...] = (
    ("Utterance", lambda item: item.id),
    ("Reference", lambda item: item.reference),
    ("Keras", lambda item: item.keras),
    ("File", lambda item: item.tflite),
    ("First frame", lambda item: str(item.frame)),
    (
        "Logits: Keras, file",
        lambda item: "; ".join(
            f"class {label}: {pair.keras:.3f}, {pair.tflite:.3f}"
            for label, pair in item.logits.items()
        ),
    ),
)


def beside_columns(results: DemoResults) -> tuple[Column, ...]:
    """Of rows beside: memory is measured with greedy search, and none is compared with Keras."""
    difference_title = "Difference to float32, greedy [95%, widened]"
    quality = [
        (difference_title if title.startswith("Difference") else title, show)
        for title, show in quality_columns(results)
        if title != "Method"
    ]
    return (*quality, *(column for column in DEVICE if column[0].startswith(("RTF", "Latency"))))


def markdown_table(results: DemoResults) -> str:
    """The answer, all rows as a Markdown table, and what the verdicts mean.

    The corpus's notice, if it has one, stands above the table; rows beside, if there are any, make
    a second table below it.
    """
    columns = quality_columns(results) + DEVICE
    parts = [
        f"**{answer(results)}**",
        results.corpus.notice,
        Table.of("", columns, results.rows).markdown(),
    ]
    if results.beside:
        beside = Table.of("", beside_columns(results), results.beside)
        parts += [f"{BESIDE_TITLE}:", beside.markdown()]
    parts.append(_verdict_note(results))
    return "\n\n".join(part for part in parts if part)


def answer(results: DemoResults) -> str:
    """What the results say, in one sentence.

    It is about the smallest model that was quantized in training by the native method or,
    without one, the smallest quantized model: never the one with the fewest errors, which
    would be chosen on the test set.
    """
    quantized = [row for row in results.rows if row.method != FLOAT]
    native = [row for row in quantized if row.method == NATIVE]
    row = min(native or quantized, key=lambda row: row.bytes)
    judgement = judged(row, results)
    assert judgement is not None
    return (
        f"{row.name}: {row.ratio:.1f}x smaller than float32 and {SAID[judgement.verdict]}, "
        f"difference to {_baseline(row)} {points(row.wer_diff, judgement.interval)} points on "
        f"{results.corpus.utterances:,} utterances."
    )


def judged(row: ScoredFile, results: DemoResults) -> Judgement | None:
    """Whether a row is as good as its baseline, among all that are compared; None for float32."""
    if row.wer_diff is None or row.wer_diff_ci is None:
        return None
    return judge(row.wer_diff, row.wer_diff_ci, len(_compared(results)))


def _baseline(row: ScoredFile) -> str:
    """Name of the row that a row is compared with."""
    return row.baseline if isinstance(row, ComparedFile) and row.baseline else FLOAT_ROW


def _verdict_note(results: DemoResults) -> str:
    return verdict_note(len(_compared(results)), "the row's baseline")


def _compared(results: DemoResults) -> list[ScoredFile]:
    rows: list[ScoredFile] = [*results.rows, *results.beside]
    return [row for row in rows if row.wer_diff_ci is not None]


def html_report(results: DemoResults, equality: EqualityResults, path: str | Path) -> None:
    """Write one page without external parts, for light and dark screens, wide and narrow.

    Args:
        results: of the demo.
        equality: of its 4-bit file and the Keras model.
        path: file to write.
    """
    corpus, model = results.corpus, equality.model
    columns = quality_columns(results)
    beside = Table.of(BESIDE_TITLE, beside_columns(results), results.beside)
    note = f"{QUALITY_NOTE} {_verdict_note(results)}"
    seconds = {f"Time, {step}": duration(s) for step, s in results.seconds.items()}
    page = render(
        "demo_page.html",
        title=f"Accuracy against size: {corpus.name}",
        answer=answer(results),
        notices=[corpus.notice] if corpus.notice else [],
        picture=svg_wer_against_size(results.rows),
        caption=f"{TITLE}. {CAPTION}",
        quality=Table.of("Accuracy and size", columns, results.rows, note),
        device=Table.of("On the device", (columns[0], *DEVICE), results.rows, DEVICE_NOTE),
        beside=beside if results.beside else None,
        products_verdict=_products_verdict(equality),
        products=_products_table(equality),
        model_verdict=_model_verdict(model),
        different=Table.of("Utterances with another hypothesis", DIFFERENT, model.different),
        corpus=corpus,
        corpus_facts={
            "Description": corpus.description,
            "Test set": f"{corpus.utterances:,} utterances, {corpus.words:,} words",
            "Licence": corpus.licence,
        },
        command=results.command,
        origin={**origin(results), **seconds},
        versions=results.versions,
    )
    files.write_text(path, page)


def _products_verdict(equality: EqualityResults) -> str:
    products, bar = equality.products, equality.bar
    within = sum(product.max_error <= bar for product in products)
    worst = max(products, key=lambda product: product.max_error)
    return (
        f"{within} of {len(products)} quantized products are within {bar:g} of their output's "
        f"range; the largest difference is {worst.max_error:.1e} ({worst.layer})."
    )


def _model_verdict(model: ModelEquality) -> str:
    return (
        f"{model.identical:,} of {model.utterances:,} hypotheses are identical. "
        f"The logits differ by {model.median_logit_diff:.2g} in the median and "
        f"{model.max_logit_diff:.2g} at most. The Keras model differs from itself by "
        f"{model.rounding_floor:.2g} in the median when its input changes by one part in ten "
        "million, since activations on the edge between two int8 steps fall to the other side."
    )


def _products_table(equality: EqualityResults) -> Table:
    bar = equality.bar
    columns: Sequence[Column] = (
        ("Layer", lambda product: product.layer),
        ("Rows compared", lambda product: f"{product.rows:,}"),
        ("Largest difference", lambda product: f"{product.max_error:.1e}"),
        (f"Within {bar:g}", lambda product: "yes" if product.max_error <= bar else "NO"),
    )
    products = sorted(equality.products, key=lambda product: -product.max_error)
    return Table.of("Every product", columns, products)
