"""The page and the Markdown of a study."""

import collections
import re
import statistics
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.reports.demo_page import judged
from experiments.reports.page_parts import facts, style, text
from experiments.study.difference_tables import by_speaker
from experiments.study.plots import Plot
from experiments.study.saved_study import METHODS, Row, Saved
from experiments.study.tables import Table

TEMPLATE = Path(__file__).with_name("study.html")
INTERVALS = (
    "The difference is to float32: errors of all seeds and of all scored splits together, against "
    "the float32 models of the same seeds; its 95% interval is a paired bootstrap over the "
    "utterances, one draw for both sides and for all seeds. So it says what other utterances would "
    "change. A second interval draws speakers and seeds: what other people and other trainings "
    "would change. How the seeds scatter is in round brackets behind each error rate, least to "
    "most."
)
COLUMNS = (
    "WER in percent, differences in percentage points. 1 MB = 1,000,000 bytes. “Smaller” is the "
    "float32 file's size over the file's. “Runs in: LiteRT” means that the score is that of the "
    ".tflite in the LiteRT interpreter; “training only” means that no kernel of it executes this "
    "arithmetic: the score is that of the Keras model. “RTF”: processing time over the duration of "
    "the audio, on one CPU thread, all files in turn with nothing beside them, the least of "
    "several rounds. “Changed in the file”: share of the utterances whose text from the file "
    "differs from that of the Keras model it was made from."
)

Part = Table | Plot


def verdicts(study: Saved) -> list[str]:
    """A line for each precision that was trained natively, with as many seeds as most have.

    They are chosen by what they are (int8 activations, executed by LiteRT), never by their
    error rates. Without such rows there are none.
    """
    counts = [len(row["seeds"]) for row in study.pooled]
    return [
        _verdict(row)
        for row in study.pooled
        if row["method"] == "native-qat"
        and row["executed_on_device"]
        and row["activations"] == "int8 dynamic"
        and len(row["seeds"]) >= statistics.mode(counts)
        and row["wer_diff_ci"] is not None
    ]


def _verdict(row: Row) -> str:
    """Size and difference, what its interval means, and what a draw of speakers and seeds adds."""
    line, meaning = judged(row)
    said = f"{row['name']}, {METHODS[row['method']]}: {line}. {meaning}"
    if row["wer_diff_ci_speakers"] is None:
        return said
    bounds = [row["wer_diff_ci"], row["wer_diff_ci_speakers"]]
    sure, still_sure = (not low <= 0 <= high for low, high in bounds)
    doubt = ", which includes 0" if sure and not still_sure else ""
    return f"{said} With speakers and seeds drawn: {by_speaker(row)}{doubt}."


def unfinished(study: Saved) -> str:
    """That cells are missing, if they are."""
    cells = study.results["cells"]
    if cells["finished"] >= cells["planned"]:
        return ""
    return f"Not finished: {cells['finished']} of {cells['planned']} cells so far."


def corpus_facts(study: Saved) -> dict[str, Any]:
    """Names and sizes of what was recognised."""
    corpus = study.results["corpus"]
    sizes = {
        f"Split {name}": f"{split['utterances']:,} utterances, {split['words']:,} words"
        for name, split in corpus["splits"].items()
    }
    given = {"Description": corpus["description"], **sizes, "Licence": corpus["licence"]}
    return {name: value for name, value in given.items() if value is not None}


def commits(study: Saved) -> str:
    """The code that made the cells: its commits, with their numbers of cells."""
    found = collections.Counter(row["commit"] for row in study.rows)
    return ", ".join(f"{commit} ({count} cells)" for commit, count in found.most_common())


def markdown_page(study: Saved, parts: Sequence[Part], folder: str) -> str:
    """Verdicts, tables and pictures.

    Args:
        study: what it tells of.
        parts: in their order.
        folder: where the pictures lie, as the Markdown file sees it.
    """
    results = study.results
    corpus = results["corpus"]
    lines = [f"# Precision study: {corpus['name']}", corpus.get("notice"), unfinished(study)]
    lines += ["\n".join(f"- {line}" for line in verdicts(study)), INTERVALS, COLUMNS]
    for part in parts:
        if isinstance(part, Table):
            lines.append(part.markdown())
        else:
            picture = f"![{part.title}]({folder}/{part.name}.png)"
            lines += [f"## {part.title}", picture, part.caption]
    lines.append(f"Commits of the cells: {commits(study)}; of this report: {results['commit']}.")
    return "\n\n".join(line for line in lines if line) + "\n"


def html_page(study: Saved, parts: Sequence[Part], details: Sequence[Table]) -> str:
    """One page without external parts, for light and dark screens, wide and narrow.

    Args:
        study: what it tells of.
        parts: tables and plots in their order.
        details: tables that are folded away.
    """
    results = study.results
    corpus = results["corpus"]
    notice, missing = corpus.get("notice"), unfinished(study)
    items = "".join(f"<li>{text(line)}</li>" for line in verdicts(study))
    sections = [_section(part) for part in parts]
    sections += [f"<section>{_folded(table)}</section>" for table in details]
    sections.append(f"<section><h2>Corpus: {text(corpus['name'])}</h2>{_corpus(study)}</section>")
    return string.Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        style=style(),
        corpus=text(corpus["name"]),
        notice=f'<p class="notice">{text(notice)}</p>' if notice else "",
        verdicts=f"<ul>{items}</ul>" if items else "",
        unfinished=f'<p class="notice">{text(missing)}</p>' if missing else "",
        intervals=text(INTERVALS),
        columns=text(COLUMNS),
        contents="".join(
            f'<li><a href="#{anchor(part.title)}">{text(part.title)}</a></li>' for part in parts
        ),
        sections="\n\n".join(sections),
        command=text(results["command"].replace(" --report", "")),  # which makes no cells
        origin=facts(_origin(study)),
        versions=facts(results["versions"]),
    )


def anchor(title: str) -> str:
    """A title as a fragment of an address."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _section(part: Part) -> str:
    if isinstance(part, Table):
        note = f'<p class="soft">{text(part.note)}</p>' if part.note else ""
        content = f'<div class="scroll">{part.html()}</div>{note}'
    else:
        caption = f"<figcaption>{text(part.caption)}</figcaption>"
        content = f"<figure>\n{part.svg()}\n{caption}</figure>"
    return f'<section id="{anchor(part.title)}"><h2>{text(part.title)}</h2>\n{content}</section>'


def _folded(table: Table) -> str:
    content = f'<div class="scroll">{table.html()}</div>'
    return f"<details><summary>{text(table.title)}</summary>{content}</details>"


def _origin(study: Saved) -> dict[str, str]:
    """Where cells and report come from: they need not be of one machine and commit."""
    processors = {cell["provenance"]["hardware"]["cpu"] for cell in study.cells.values()}
    return {
        "Commits of the cells": commits(study),
        "Processors of the cells": ", ".join(sorted(processors)),
        "Commit of this report": study.results["commit"],
    }


def _corpus(study: Saved) -> str:
    return facts(corpus_facts(study))
