"""The results of all finished cells: rows, and what the seeds say together."""

from pathlib import Path
from typing import Any

import numpy as np

from asr_qat import files
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.provenance import provenance
from experiments.study.cell import DETAILS
from experiments.study.cells import expand
from experiments.study.config import StudyConfig
from experiments.study.error_counts import Cell, Cells, References, Speakers, compared, errors
from experiments.study.mixture_rivals import is_mixture, precisions, rival
from experiments.study.saved_study import REFERENCES
from tflite_export.score.statistics import paired_interval

OWN = ("fingerprint", "provenance")
SHARED = (  # by all seeds of a variant
    "groups",
    "precision",
    "method",
    "weights",
    "activations",
    "scheme",
    "steps",
    "executed_on_device",
)
COMPARED = (  # of a row; without a baseline there is none of it
    "wer_diff",
    "wer_diff_ci",
    "wer_diff_ci_speakers",
    "wer_diff_by_seed",
)


def write_summary(config: StudyConfig) -> dict[str, Any]:
    """Write `OUTPUT.json` and the references from the finished cells. Returns its content."""
    output = Path(config.output)
    planned = expand(config)
    cells = {}
    for cell in planned:
        path = output / "cells" / f"{cell.name}.json"
        if path.is_file():  # it may have been run before other groups took it up
            cells[cell.name] = {**files.read_json(path), "groups": cell.groups}
    folder = PreparedFolder(config.data)
    lines = {split: folder.utterances(split) for split in config.splits}
    references = {split: [line["text"] for line in each] for split, each in lines.items()}
    speakers = {
        split: [line.get("speaker") or "" for line in each] for split, each in lines.items()
    }
    corpus = folder.corpus
    content = {
        "rows": rows(cells, references),
        "pooled": pooled(cells, references, speakers),
        "cells": {"planned": len(planned), "finished": len(cells)},
        "corpus": {
            **{key: corpus.get(key) for key in ("name", "description", "licence")},
            "splits": {
                split: {
                    "utterances": len(texts),
                    "words": sum(len(t.split()) for t in texts),
                    "speakers": speakers[split],  # of each utterance
                }
                for split, texts in references.items()
            },
        },
        **provenance(),
    }
    files.write_json(output / REFERENCES, references)
    files.write_json(output.with_name(f"{output.name}.json"), content)
    return content


def rows(cells: Cells, references: References) -> list[dict[str, Any]]:
    """A row for each cell, with the differences to its baseline on the first split.

    Its figures are those of the first split, `identical_hypotheses` (the share of the utterances
    whose text from the file is that of the Keras model) too. Bytes and ratio are of files alone.

    Args:
        cells: content of their files, by name.
        references: texts of each split.
    """
    first = next(iter(references))
    found = []
    for cell in cells.values():
        row = {key: value for key, value in cell.items() if key not in OWN}
        row["commit"] = cell["provenance"]["commit"]
        row["splits"] = {split: _figures(cell, part) for split, part in cell["splits"].items()}
        row["identical_hypotheses"] = row["splits"][first]["identical_hypotheses"]
        baseline = cells.get(cell["baseline"] or cell["name"])
        row["bytes"] = cell["bytes"] if cell["executed_on_device"] else None
        row |= {"wer_diff": None, "wer_diff_ci": None, "ratio": None}
        if baseline is not None:
            own, other = (errors(c, references, (first,)) for c in (cell, baseline))
            row["wer_diff"] = own.rate - other.rate
            row["ratio"] = _ratio([baseline], [cell])
            if cell["baseline"]:
                row["wer_diff_ci"] = paired_interval(own, other)
        found.append(row)
    return found


def _figures(cell: Cell, part: dict[str, Any]) -> dict[str, Any]:
    """The figures of a split without its hypotheses."""
    same = None
    if cell["executed_on_device"]:
        same = 1 - len(part["keras_hypotheses"]) / len(part["hypotheses"])
    figures = {key: value for key, value in part.items() if key not in DETAILS}
    return figures | {"identical_hypotheses": same}


def pooled(cells: Cells, references: References, speakers: Speakers) -> list[dict[str, Any]]:
    """A row for each variant over its seeds.

    `wer` has mean, least and most over the seeds by split. The differences are to the baselines
    of the same seeds, see `experiments.study.error_counts.compared`. A mixture has the `precisions`
    of its layers, and `uniform`: what it has to beat, see `experiments.study.mixture_rivals`.

    Args:
        cells: content of their files, by name.
        references: texts of each split.
        speakers: of the same utterances, empty where unknown.
    """
    variants: dict[str, list[Cell]] = {}
    for cell in cells.values():
        variants.setdefault(cell["variant"], []).append(cell)
    return [
        {
            **_pooled(name, members, cells, references, speakers),
            "precisions": precisions(members[0]) if is_mixture(members[0]) else None,
            "uniform": rival(members, list(variants.values()), references, speakers),
        }
        for name, members in variants.items()
    ]


def _pooled(
    name: str, members: list[Cell], cells: Cells, references: References, speakers: Speakers
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": name,
        **{key: members[0][key] for key in SHARED},
        "seeds": [cell["seed"] for cell in members],
        "bytes": _bytes(members),
        "wer": {s: _spread([c["splits"][s]["wer"] for c in members]) for s in references},
        "keras_wer": {
            s: _spread([c["splits"][s]["keras_wer"] for c in members]) for s in references
        },
        "changed_hypotheses": _changed(members, references),
        **dict.fromkeys(COMPARED),
        "paired_seeds": [],
        "ratio": None,
    }
    pairs = [(c, cells[c["baseline"]]) for c in members if c["baseline"] in cells]
    if pairs:
        row |= compared(pairs, references, speakers)
        row["ratio"] = _ratio([baseline for _, baseline in pairs], members)
    elif members[0]["baseline"] is None:
        row |= {"wer_diff": 0.0, "ratio": 1.0}
    return row


def _bytes(cells: list[Cell]) -> float | None:
    """Mean of their files. What exists in training only has the bytes of bare weights: no file."""
    if not cells[0]["executed_on_device"]:
        return None
    return float(np.mean([cell["bytes"] for cell in cells]))


def _ratio(baselines: list[Cell], cells: list[Cell]) -> float | None:
    """How many times smaller the files are than those of the baselines."""
    own, other = _bytes(cells), _bytes(baselines)
    return None if own is None or other is None else other / own


def _changed(members: list[dict[str, Any]], references: References) -> dict[str, Any] | None:
    """Utterances whose file and Keras model do not agree; None where there is no file."""
    if not members[0]["executed_on_device"]:
        return None
    changed = sum(len(p["keras_hypotheses"]) for c in members for p in c["splits"].values())
    utterances = len(members) * sum(len(texts) for texts in references.values())
    return {"changed": changed, "of": utterances, "share": changed / utterances}


def _spread(values: list[float]) -> dict[str, float]:
    return {"mean": float(np.mean(values)), "min": min(values), "max": max(values)}
