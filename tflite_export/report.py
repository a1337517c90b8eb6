"""Results as a Markdown table and as one self-contained page."""

import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

from asr_qat import files
from tflite_export.page_parts import (
    BYTES_PER_MB,
    difference,
    duration,
    facts,
    interval,
    markdown,
    origin,
    style,
    table,
    text,
)
from tflite_export.verdict import verdict
from tflite_export.wer_size_plot import svg_wer_against_size

TEMPLATE = Path(__file__).with_name("report.html")
NATIVE = "native-qat"
FLOAT = "float"

Row = dict[str, Any]
Column = tuple[str, Callable[[Row], str]]


QUALITY: tuple[Column, ...] = (
    ("Model", lambda row: row["name"]),
    ("Precision", lambda row: row["precision"]),
    ("Method", lambda row: row["method"]),
    ("MB", lambda row: f"{row['bytes'] / BYTES_PER_MB:.2f}"),
    ("Smaller", lambda row: f"{row['ratio']:.1f}x"),
    ("WER % [95%]", lambda row: f"{100 * row['wer']:.1f} {interval(row['wer_ci'])}"),
    ("Difference [95%]", lambda row: _difference(row)),
    ("CER %", lambda row: f"{100 * row['cer']:.1f}"),
)
DEVICE: tuple[Column, ...] = (
    ("Same text as Keras", lambda row: f"{row['identical_hypotheses']:.1%}"),
    (
        "Logits off, median / most",
        lambda row: f"{row['median_logit_diff']:.2g} / {row['max_logit_diff']:.2g}",
    ),
    ("RTF", lambda row: f"{row['rtf']:.3f}"),
    (
        "Latency p50 / p95 / p99, ms",
        lambda row: " / ".join(f"{row['latency_ms'][p]:.0f}" for p in ("p50", "p95", "p99")),
    ),
    ("Threads", lambda row: str(row["threads"])),
    ("Peak memory, MB", lambda row: f"{row['peak_rss_mb']:.0f}"),
)
# Memory is measured with greedy search, and none of these is compared with a Keras model.
BESIDE: tuple[Column, ...] = (
    *(column for column in QUALITY[:-2] if column[0] != "Method"),
    ("Difference to float32, greedy [95%]", difference),
    QUALITY[-1],
    *(column for column in DEVICE if column[0].startswith(("RTF", "Latency"))),
)


def markdown_table(results: dict[str, Any]) -> str:
    """All rows as a Markdown table; rates in percent, differences in percentage points.

    The verdict and the corpus's notice, if it has one, stand above it; rows beside, if there
    are any, make a second table below it.
    """
    said = f"**{headline(results)[0]}**"
    parts = [said, results["corpus"]["notice"], _markdown(QUALITY + DEVICE, results["rows"])]
    if results["beside"]:
        parts += ["Beside it, on the same recordings:", _markdown(BESIDE, results["beside"])]
    return "\n\n".join(part for part in parts if part)


def _markdown(columns: tuple[Column, ...], rows: list[Row]) -> str:
    return markdown(*_shown(columns, rows))


def _shown(columns: tuple[Column, ...], rows: list[Row]) -> tuple[list[str], list[list[str]]]:
    """Header and cells."""
    return [title for title, _ in columns], [[show(row) for _, show in columns] for row in rows]


def headline(results: dict[str, Any]) -> tuple[str, str]:
    """The verdict, in one sentence, and what it rests on.

    It is about the smallest model that was quantized in training by the native method or,
    without one, the smallest quantized model: never the one with the fewest errors, which
    would be chosen on the test set.
    """
    quantized = [row for row in results["rows"] if row["method"] != FLOAT]
    native = [row for row in quantized if row["method"] == NATIVE]
    row = max(native or quantized, key=lambda row: row["ratio"])
    _, meaning = judged(row)
    return verdict(row), (
        f"{row['name']} against {row['baseline']} on the same "
        f"{results['corpus']['utterances']:,} utterances, paired 95% interval in percentage "
        f"points. {meaning}"
    )


def _difference(row: Row) -> str:
    """With what it is a difference to."""
    return f"{difference(row)} to {row['baseline']}" if row["baseline"] else difference(row)


def judged(row: Row) -> tuple[str, str]:
    """Size and WER difference of a row in one line, and what its interval means."""
    low, high = (100 * bound for bound in row["wer_diff_ci"])
    if low > 0:
        verdict = "a measurable loss"
        meaning = f"The interval lies above 0: the loss is between {low:.1f} and {high:.1f} points."
    elif high < 0:
        verdict = "measurably fewer errors"
        meaning = (
            f"The interval lies below 0: the gain is between {-high:.1f} and {-low:.1f} points."
        )
    else:
        verdict = "no measurable loss"
        meaning = (
            "The interval includes 0: this test set does not tell the two apart; "
            f"a loss of up to {high:.1f} points is not ruled out."
        )
    line = f"{row['ratio']:.1f}x smaller, WER difference {difference(row)} points: {verdict}"
    return line, meaning


def html_report(results: dict[str, Any], equality: dict[str, Any], path: str | Path) -> None:
    """Write one page without external parts, for light and dark screens, wide and narrow.

    Args:
        results: as in `results/*.json`: `rows`, `corpus`, `command`, `commit`, `versions`,
            `hardware`, `seed`, `seconds`. Rates are shares, sizes bytes, times ms.
        equality: `bar`; `products` with `layer`, `rows` and `max_error`, a share of the
            output's range; `model` with the comparison of logits and hypotheses.
        path: file to write.
    """
    line, meaning = headline(results)
    corpus, model = results["corpus"], equality["model"]
    page = string.Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        style=style(),
        headline=text(line),
        meaning=text(meaning),
        notice=f'<p class="notice">{text(corpus["notice"])}</p>' if corpus["notice"] else "",
        corpus=text(corpus["name"]),
        corpus_facts=facts(
            {
                "Description": corpus["description"],
                "Test set": f"{corpus['utterances']:,} utterances, {corpus['words']:,} words",
                "Licence": corpus["licence"],
            }
        ),
        quality=_rows_table(QUALITY, results["rows"]),
        plot=svg_wer_against_size(results),
        device=_rows_table((QUALITY[0], *DEVICE), results["rows"]),
        beside=_beside(results["beside"]),
        products_verdict=text(_products_verdict(equality)),
        products=_products_table(equality),
        model_verdict=text(_model_verdict(model)),
        different=_different_table(model["different"]),
        command=text(results["command"]),
        origin=facts(
            {
                **origin(results),
                **{f"Time, {step}": duration(s) for step, s in results["seconds"].items()},
            }
        ),
        versions=facts(results["versions"]),
    )
    files.write_text(path, page)


def _beside(rows: list[Row]) -> str:
    if not rows:
        return ""
    return f"<h2>Beside it, on the same recordings</h2>\n{_rows_table(BESIDE, rows)}"


def _products_verdict(equality: dict[str, Any]) -> str:
    products, bar = equality["products"], equality["bar"]
    within = sum(product["max_error"] <= bar for product in products)
    worst = max(products, key=lambda product: product["max_error"])
    return (
        f"{within} of {len(products)} quantized products are within {bar:g} of their output's "
        f"range; the largest difference is {worst['max_error']:.1e} ({worst['layer']})."
    )


def _model_verdict(model: dict[str, Any]) -> str:
    return (
        f"{model['identical']:,} of {model['utterances']:,} hypotheses are identical. "
        f"The logits differ by {model['median_logit_diff']:.2g} in the median and "
        f"{model['max_logit_diff']:.2g} at most. The Keras model differs from itself by "
        f"{model['rounding_floor']:.2g} in the median when its input changes by one part in ten "
        "million, since activations on the edge between two int8 steps fall to the other side."
    )


def _products_table(equality: dict[str, Any]) -> str:
    products = sorted(equality["products"], key=lambda product: -product["max_error"])
    cells = [
        [
            product["layer"],
            f"{product['rows']:,}",
            f"{product['max_error']:.1e}",
            "yes" if product["max_error"] <= equality["bar"] else "NO",
        ]
        for product in products
    ]
    return table(["Layer", "Rows compared", "Largest difference", "Within the bar"], cells)


def _different_table(different: list[dict[str, Any]]) -> str:
    if not different:
        return "<p>No utterance has another hypothesis.</p>"
    cells = [
        [
            item["id"],
            item["reference"],
            item["keras"],
            item["tflite"],
            str(item["frame"]),
            "; ".join(
                f"class {label}: {pair['keras']:.3f}, {pair['tflite']:.3f}"
                for label, pair in item["logits"].items()
            ),
        ]
        for item in different
    ]
    header = ["Utterance", "Reference", "Keras", "File", "First frame", "Logits: Keras, file"]
    return table(header, cells)


def _rows_table(columns: tuple[Column, ...], rows: list[Row]) -> str:
    return table(*_shown(columns, rows))
