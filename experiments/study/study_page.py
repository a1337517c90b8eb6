"""All that a person sees of a study, made from its JSON files alone."""

import collections
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from asr_qat import files
from asr_qat.text.normalizers import PLAIN
from experiments.reports.page_parts import MARGIN_POINTS, Table, interval, render
from experiments.study import study_plots
from experiments.study.cell_rows import CellRow
from experiments.study.moved_errors import errors_moved, moved_table
from experiments.study.saved_study import Saved, folder_of, read_study
from experiments.study.study_plots import Plot
from experiments.study.study_rows import VariantRow
from experiments.study.study_tables import (
    cells_table,
    difference_table,
    grid_table,
    group_tables,
    method,
    mixture_table,
    targets_table,
    two_bit_table,
    verdict_table,
)

COLUMNS = (
    "WER in percent, differences in percentage points. 1 MB = 1,000,000 bytes. “Smaller” is the "
    "float32 file's size over the file's. “Runs in: LiteRT” means that the score is that of the "
    ".tflite in the LiteRT interpreter; “training only” means that no kernel of it executes this "
    "arithmetic: the score is that of the Keras model. “RTF”: processing time over the duration of "
    "the audio, on one CPU thread, all files in turn with nothing else running, the least of "
    "several rounds. “Changed in the file”: share of the utterances whose text from the file "
    "differs from that of the Keras model it was made from. In round brackets after an error rate: "
    "from the least to the greatest of the seeds."
)
ORDER = ("better", "worse", "not shown")  # of verdicts, in the answer
SAME_SIZE = 0.001  # files of one size, as a share of it

Part = Table | Plot


@dataclasses.dataclass(frozen=True)
class Parts:
    """What a report shows, in its order.

    Attributes:
        opening: the picture below the answer, if files are compared.
        shown: tables and pictures, those with something in them.
        folded: tables for those who want to know everything.
    """

    opening: Plot | None
    shown: list[Part]
    folded: list[Table]

    @property
    def plots(self) -> list[Plot]:
        """All pictures."""
        found = [part for part in self.shown if isinstance(part, Plot)]
        return [self.opening, *found] if self.opening else found


def write_report(results: str | Path) -> list[Path]:
    """Write tables, plots and page beside a study's main file `NAME.json`.

    `NAME.html` (one page without external parts), `NAME.md`; in the folder `NAME`: `pooled.csv`
    and `cells.csv` with all figures, and the plots as PNG files.

    Args:
        results: the main file; see `experiments.study.saved_study` for what lies beside it.

    Returns:
        The files written.

    Raises:
        UserError: a file of the study is missing or damaged.
    """
    results = Path(results)
    study, folder = read_study(results), folder_of(results)
    parts = report_parts(study)
    texts = {
        results.with_suffix(".html"): html_page(study, parts),
        results.with_suffix(".md"): markdown_page(study, parts, folder.name),
        folder / "pooled.csv": figures_csv(study.variants),
        folder / "cells.csv": figures_csv(study.rows),
    }
    for path, content in texts.items():
        files.write_text(path, content)
    notice = study.summary.corpus.notice
    return [*texts, *(plot.write(folder, notice) for plot in parts.plots)]


def report_parts(study: Saved) -> Parts:
    """Tables and plots of a study."""
    moved = errors_moved(study)
    shown: list[Part | None] = [
        targets_table(study),
        verdict_table(study),
        grid_table(study),
        study_plots.size(study),
        two_bit_table(study),
        mixture_table(study),
        study_plots.sensitivity(study),
        *study_plots.weights(study),
        study_plots.errors(study, moved),
    ]
    folded = [
        difference_table(study),
        *group_tables(study),
        moved_table(moved),
        cells_table(study),
    ]
    return Parts(
        study_plots.overview(study),
        [part for part in shown if part is not None and not _is_empty(part)],
        [table for table in folded if not _is_empty(table)],
    )


def _is_empty(part: Part) -> bool:
    return isinstance(part, Table) and part.frame.empty


def answer(study: Saved) -> str:
    """The smallest files that are lossless, and what is shown of smaller ones, in one sentence.

    It may choose among the verdicts, as they hold together. Mixtures have no part in it: their
    layers' precisions were chosen on a part of what is scored.
    """
    compared = [row for row in study.compared if row.has_file and not row.is_mixture]
    if not compared:
        return "No file is compared with float32 yet."
    lossless = [row for row in compared if _verdict(study, row) == "lossless"]
    if not lossless:
        return f"Of {len(compared)} files none is shown to be lossless within {MARGIN_POINTS}."
    least = min(_size(row) for row in lossless)
    best = [row for row in lossless if _size(row) <= (1 + SAME_SIZE) * least]
    named = " and ".join(f"{row.name} ({method(row)}, {_judged(study, row)})" for row in best)
    what = "file that is" if len(best) == 1 else "files that are"
    ratio = max(row.ratio or 0.0 for row in best)
    smaller = collections.Counter(_verdict(study, row) for row in compared if _size(row) < least)
    rest = ""
    if smaller:
        counts = [f"{smaller[word]} {word}" for word in ORDER if smaller[word]]
        rest = f"; of {smaller.total()} smaller: {', '.join(counts)}"
    return (
        f"The smallest {what} lossless within {MARGIN_POINTS} {'is' if len(best) == 1 else 'are'} "
        f"{ratio:.1f}x smaller than float32: {named}{rest}."
    )


def _verdict(study: Saved, row: VariantRow) -> str:
    judgement = study.judge(row)
    return judgement.verdict if judgement else "not shown"


def _judged(study: Saved, row: VariantRow) -> str:
    judgement = study.judge(row)
    assert judgement is not None and row.wer_diff is not None
    return f"{100 * row.wer_diff:+.1f} {interval(judgement.interval, '+')} points"


def _size(row: VariantRow) -> float:
    assert row.bytes is not None
    return row.bytes


def unfinished(study: Saved) -> str:
    """That cells are missing, if they are."""
    cells = study.summary.cells
    if cells.finished >= cells.planned:
        return ""
    return f"Not finished: {cells.finished} of {cells.planned} cells so far."


def corpus_facts(study: Saved) -> dict[str, str]:
    """Names and sizes of what was recognised."""
    corpus = study.summary.corpus
    sizes = {
        f"Split {name}": f"{split.utterances:,} utterances, {split.words:,} words"
        for name, split in corpus.splits.items()
    }
    given = {
        "Description": corpus.description,
        **sizes,
        "Licence": corpus.licence,
        "Normaliser": None if corpus.normalizer == PLAIN else corpus.normalizer,
    }
    return {name: value for name, value in given.items() if value is not None}


def commits(study: Saved) -> str:
    """The code that made the cells: its commits, with their numbers of cells."""
    found = collections.Counter(row.commit for row in study.rows)
    return ", ".join(f"{commit} ({count} cells)" for commit, count in found.most_common())


def _common(study: Saved) -> dict[str, Any]:
    """What both pages say."""
    notices = (study.summary.corpus.notice, unfinished(study))
    return {
        "title": f"Precision study: {study.summary.corpus.name}",
        "answer": answer(study),
        "notices": [notice for notice in notices if notice],
        "columns": COLUMNS,
    }


def markdown_page(study: Saved, parts: Parts, folder: str) -> str:
    """The report in Markdown.

    Args:
        study: the results.
        parts: of the report.
        folder: where the pictures lie, as the Markdown file sees it.
    """
    own = [parts.opening] if parts.opening else []
    tables = [table for table in parts.folded if not table.title.startswith("Every cell")]
    return render(
        "study_page.md.jinja",
        **_common(study),
        parts=[*own, *parts.shown, *tables],
        folder=folder,
        commits=commits(study),
        commit=study.summary.commit,
    )


def html_page(study: Saved, parts: Parts) -> str:
    """One page without external parts, for light and dark screens, wide and narrow."""
    processors = {cell.provenance.hardware.cpu for cell in study.cells.values()}
    return render(
        "study_page.html",
        **_common(study),
        picture=parts.opening.svg() if parts.opening else "",
        caption=parts.opening.caption if parts.opening else "",
        shown=parts.shown,
        folded=parts.folded,
        corpus=study.summary.corpus,
        corpus_facts=corpus_facts(study),
        command=study.summary.command.replace(" --report", ""),  # which makes no cells
        origin={
            "Commits of the cells": commits(study),
            "Processors of the cells": ", ".join(sorted(processors)),
            "Commit of this report": study.summary.commit,
        },
        versions=study.summary.versions,
    )


def figures_csv(rows: Sequence[CellRow] | Sequence[VariantRow]) -> str:
    """All figures of rows as comma-separated values, one line each.

    Nested ones have a column each: `wer_ci.0` and `wer_ci.1`, `latency_ms.p50` and so on.
    """
    flat = [_numbered(dataclasses.asdict(row)) for row in rows]
    return pd.json_normalize(flat).to_csv(index=False, lineterminator="\n")


def _numbered(value: Any) -> Any:
    """Lists as dictionaries by place."""
    if isinstance(value, dict):
        return {key: _numbered(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return {str(place): _numbered(each) for place, each in enumerate(value)}
    return value
