"""The results of all finished cells: rows, and what the seeds say together."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from asr_qat import files
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.corpora.utterance import speaker_name
from asr_qat.provenance import Provenance
from experiments.study.cell_rows import (
    Cell,
    CellResult,
    CellRow,
    Scheme,
    SplitRow,
    SplitScore,
    SplitTexts,
)
from experiments.study.config import StudyConfig
from experiments.study.mixture_rivals import layer_precisions, rival
from experiments.study.paired_differences import Cells, Spoken, paired_difference
from experiments.study.planned_cells import expand
from experiments.study.promises import kept
from experiments.study.saved_study import REFERENCES, cell_path, read_cell
from experiments.study.study_rows import (
    Changed,
    Corpus,
    PairedDifference,
    Progress,
    SplitSize,
    Spread,
    StudySummary,
    VariantRow,
)
from tflite_export.score.statistics import paired_interval


def write_summary(config: StudyConfig) -> StudySummary:
    """Write `OUTPUT.json` and the references from the finished cells. Returns its content."""
    output = Path(config.output)
    planned = expand(config)
    cells = {}
    for cell in planned:
        path = cell_path(output, cell.name)
        if path.is_file():  # it may have been run before other groups took it up
            cells[cell.name] = dataclasses.replace(read_cell(path), groups=cell.groups)
    folder = PreparedFolder(config.data)
    lines = {split: folder.utterances(split) for split in config.splits}
    spoken = Spoken(
        {split: [line["text"] for line in each] for split, each in lines.items()},
        {
            split: [speaker_name(line.get("speaker")) for line in each]
            for split, each in lines.items()
        },
    )
    sizes = {
        split: SplitSize(
            utterances=len(texts),
            words=sum(len(text.split()) for text in texts),
            speakers=tuple(spoken.speakers[split]),
        )
        for split, texts in spoken.references.items()
    }
    corpus, variants = folder.corpus, variant_rows(cells, spoken)
    summary = StudySummary(
        rows=tuple(cell_rows(cells, spoken)),
        pooled=tuple(variants),
        targets=kept(config.targets, variants),
        cells=Progress(len(planned), len(cells)),
        corpus=Corpus(
            corpus["name"],
            corpus.get("description"),
            corpus.get("licence"),
            sizes,
            normalizer=folder.normalizer,
        ),
        **vars(Provenance.of_this_run()),
    )
    files.write_json(output / REFERENCES, spoken.references)
    files.write_json(output.with_name(f"{output.name}.json"), dataclasses.asdict(summary))
    return summary


def cell_rows(cells: Cells, spoken: Spoken) -> list[CellRow]:
    """A row for each cell, with the differences to its baseline on the first split.

    Args:
        cells: of the study.
        spoken: what they were scored on.
    """
    first = spoken.splits[0]
    found = []
    for cell in cells.values():
        row = CellRow(
            **_fields(Cell, cell),
            bytes=cell.bytes if cell.executed_on_device else None,
            splits={name: _split_row(split, cell) for name, split in cell.splits.items()},
            commit=cell.provenance.commit,
        )
        baseline = cells.get(cell.baseline or cell.name)
        if baseline is not None:
            own, other = (spoken.errors(each, first) for each in (cell, baseline))
            row = dataclasses.replace(
                row,
                wer_diff=own.rate - other.rate,
                wer_diff_ci=paired_interval(own, other) if cell.baseline else None,
                ratio=_ratio([baseline], [cell]),
            )
        found.append(row)
    return found


def _split_row(split: SplitTexts, cell: CellResult) -> SplitRow:
    same = 1 - len(split.keras_hypotheses) / len(split.hypotheses)
    return SplitRow(
        **_fields(SplitScore, split),
        identical_hypotheses=same if cell.executed_on_device else None,
    )


def variant_rows(cells: Cells, spoken: Spoken) -> list[VariantRow]:
    """A row for each variant over its seeds; differences are to the baselines of these seeds.

    Args:
        cells: of the study.
        spoken: what they were scored on.
    """
    variants: dict[str, list[CellResult]] = {}
    for cell in cells.values():
        variants.setdefault(cell.variant, []).append(cell)
    return [_variant_row(members, variants, cells, spoken) for members in variants.values()]


def _variant_row(
    members: list[CellResult],
    variants: dict[str, list[CellResult]],
    cells: Cells,
    spoken: Spoken,
) -> VariantRow:
    first = members[0]
    found = [(cell, cells.get(cell.baseline or "")) for cell in members]
    pairs = [(cell, baseline) for cell, baseline in found if baseline is not None]
    difference, ratio = PairedDifference(), None
    if pairs:
        difference = paired_difference(pairs, spoken)
        ratio = _ratio([baseline for _, baseline in pairs], members)
    elif first.baseline is None:
        difference, ratio = PairedDifference(wer_diff=0.0), 1.0
    return VariantRow(
        **_fields(Scheme, first),
        **vars(difference),
        name=first.variant,
        groups=first.groups,
        precision=first.precision,
        method=first.method,
        steps=first.steps,
        seeds=tuple(cell.seed for cell in members),
        bytes=_bytes(members),
        wer={s: _spread([c.splits[s].wer for c in members]) for s in spoken.splits},
        keras_wer={s: _spread([c.splits[s].keras_wer for c in members]) for s in spoken.splits},
        changed_hypotheses=_changed(members, spoken),
        ratio=ratio,
        precisions=layer_precisions(first) if first.is_mixture else None,
        uniform=rival(members, variants.values(), spoken),
    )


def _bytes(cells: Sequence[CellResult]) -> float | None:
    """Mean of their files. What exists in training only has the bytes of bare weights: no file."""
    if not cells[0].executed_on_device:
        return None
    return float(np.mean([cell.bytes for cell in cells]))


def _ratio(baselines: Sequence[CellResult], cells: Sequence[CellResult]) -> float | None:
    """How many times smaller the files are than those of the baselines."""
    own, other = _bytes(cells), _bytes(baselines)
    return None if own is None or other is None else other / own


def _changed(members: Sequence[CellResult], spoken: Spoken) -> Changed | None:
    """Utterances whose file and Keras model do not agree; None where there is no file."""
    if not members[0].executed_on_device:
        return None
    changed = sum(len(split.keras_hypotheses) for c in members for split in c.splits.values())
    utterances = len(members) * spoken.utterances
    return Changed(changed, utterances, changed / utterances)


def _spread(values: list[float]) -> Spread:
    return Spread(float(np.mean(values)), min(values), max(values))


def _fields(kind: type, row: object) -> dict[str, Any]:
    """The values of those fields of a row that are fields of `kind`, one of its bases."""
    return {field.name: getattr(row, field.name) for field in dataclasses.fields(kind)}
