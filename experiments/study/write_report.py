"""All that a person sees of a study, made from its JSON files alone."""

from pathlib import Path

from asr_qat import files
from experiments.study import page, plots
from experiments.study.csv_text import csv_text
from experiments.study.difference_tables import difference_table, mixture_table
from experiments.study.errors_moved import errors_moved, moved_table
from experiments.study.saved_study import Saved, folder_of, read_study
from experiments.study.tables import cells_table, grid_table, group_tables, two_bit_table


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
    notice = study.results["corpus"].get("notice")
    texts = {
        results.with_suffix(".html"): page.html_page(study, parts, [cells_table(study)]),
        results.with_suffix(".md"): page.markdown_page(study, parts, folder.name),
        folder / "pooled.csv": csv_text(study.pooled),
        folder / "cells.csv": csv_text(study.rows),
    }
    for path, content in texts.items():
        files.write_text(path, content)
    pictures = [part for part in parts if isinstance(part, plots.Plot)]
    return [*texts, *(picture.write(folder, notice) for picture in pictures)]


def report_parts(study: Saved) -> list[page.Part]:
    """Tables and plots in the order of the page, those with something in them."""
    moved = errors_moved(study)
    tables = [
        grid_table(study),
        difference_table(study),
        two_bit_table(study),
        mixture_table(study),
        *group_tables(study),
        moved_table(moved),
    ]
    grid, *others, movements = tables
    parts: list[page.Part | None] = [
        grid,
        plots.size(study),
        *others,
        plots.sensitivity(study),
        *plots.weights(study),
        movements,
        plots.errors(study, moved),
    ]
    empty = [table for table in tables if not table.rows]
    return [part for part in parts if part is not None and part not in empty]
