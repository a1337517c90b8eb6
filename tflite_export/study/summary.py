"""The results of all finished cells: rows, and what the seeds say together."""

import functools
from pathlib import Path
from typing import Any

import numpy as np

from asr_qat import files
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.provenance import provenance
from tflite_export.statistics import ErrorCounts, paired_interval, word_errors
from tflite_export.study.cell import DETAILS
from tflite_export.study.cells import expand
from tflite_export.study.config import StudyConfig
from tflite_export.study.saved import REFERENCES

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

Cells = dict[str, dict[str, Any]]
References = dict[str, list[str]]


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
    references = {
        split: [line["text"] for line in folder.utterances(split)] for split in config.splits
    }
    corpus = folder.corpus
    content = {
        "rows": rows(cells, references),
        "pooled": pooled(cells, references),
        "cells": {"planned": len(planned), "finished": len(cells)},
        "corpus": {
            **{key: corpus.get(key) for key in ("name", "description", "licence")},
            "splits": {
                split: {"utterances": len(texts), "words": sum(len(t.split()) for t in texts)}
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

    Args:
        cells: content of their files, by name.
        references: texts of each split.
    """
    first = next(iter(references))
    found = []
    for cell in cells.values():
        row = {key: value for key, value in cell.items() if key not in OWN}
        row["splits"] = {
            split: {key: value for key, value in part.items() if key not in DETAILS}
            for split, part in cell["splits"].items()
        }
        baseline = cells.get(cell["baseline"] or cell["name"])
        row |= {"wer_diff": None, "wer_diff_ci": None, "ratio": None}
        if baseline is not None:
            own, other = (_errors(c, references, (first,)) for c in (cell, baseline))
            row["wer_diff"] = own.rate - other.rate
            row["ratio"] = baseline["bytes"] / cell["bytes"]
            if cell["baseline"]:
                row["wer_diff_ci"] = _interval(own, other)
        found.append(row)
    return found


def pooled(cells: Cells, references: References) -> list[dict[str, Any]]:
    """A row for each variant over its seeds.

    `wer` has mean, least and most over the seeds by split. `wer_diff` is the difference of the
    rates of all seeds and splits together to those of the baselines of the same seeds.
    `wer_diff_ci` is its paired bootstrap interval: utterances of all splits are drawn with
    replacement, one draw for all seeds and for the baselines, since what one utterance asks is
    the same for all of them and their errors on it are not independent. So the interval is that
    of these trainings on other utterances; how the seeds scatter is in `wer`.

    Args:
        cells: content of their files, by name.
        references: texts of each split.
    """
    variants: dict[str, list[dict[str, Any]]] = {}
    for cell in cells.values():
        variants.setdefault(cell["variant"], []).append(cell)
    return [
        {
            **_pooled(name, members, cells, references),
            "uniform": _uniform(members, list(variants.values()), references),
        }
        for name, members in variants.items()
    ]


def _uniform(
    members: list[dict[str, Any]], variants: list[list[dict[str, Any]]], references: References
) -> dict[str, Any] | None:
    """A mixture against the scheme of its kind whose file has about its bytes; else None.

    The scheme has the mixture's method, activations and baselines.
    """
    if members[0]["weights"] is not None or members[0]["baseline"] is None:
        return None

    def kind(cell: dict[str, Any]) -> tuple:
        return cell["method"], cell["activations"], cell.get("full_integer"), cell["steps"]

    rivals = [
        rival
        for rival in variants
        if rival[0]["weights"] is not None
        and rival[0]["executed_on_device"]
        and kind(rival[0]) == kind(members[0])
        and {c["baseline"] for c in rival} >= {c["baseline"] for c in members}
    ]
    if not rivals:
        return None
    nearest = min(rivals, key=lambda rival: abs(rival[0]["bytes"] - members[0]["bytes"]))
    by_seed = {cell["seed"]: cell for cell in nearest}
    pairs = [(cell, by_seed[cell["seed"]]) for cell in members]
    own, other = (_total([pair[i] for pair in pairs], references) for i in range(2))
    return {
        "name": nearest[0]["variant"],
        "executed_on_device": True,
        "bytes": float(np.mean([cell["bytes"] for cell in nearest])),
        "wer_diff": own.rate - other.rate,
        "wer_diff_ci": _interval(own, other),
        "paired_seeds": [cell["seed"] for cell in members],
    }


def _pooled(
    name: str, members: list[dict[str, Any]], cells: Cells, references: References
) -> dict[str, Any]:
    size = float(np.mean([cell["bytes"] for cell in members]))
    row: dict[str, Any] = {
        "name": name,
        **{key: members[0][key] for key in SHARED},
        "seeds": [cell["seed"] for cell in members],
        "bytes": size,
        "wer": {s: _spread([c["splits"][s]["wer"] for c in members]) for s in references},
        "keras_wer": {
            s: _spread([c["splits"][s]["keras_wer"] for c in members]) for s in references
        },
        "changed_hypotheses": _changed(members, references),
        "wer_diff": None,
        "wer_diff_ci": None,
        "paired_seeds": [],
        "ratio": None,
    }
    pairs = [(c, cells[c["baseline"]]) for c in members if c["baseline"] in cells]
    if pairs:
        own, other = (_total([pair[i] for pair in pairs], references) for i in range(2))
        row |= {
            "wer_diff": own.rate - other.rate,
            "wer_diff_ci": _interval(own, other),
            "paired_seeds": [cell["seed"] for cell, _ in pairs],
            "ratio": float(np.mean([baseline["bytes"] for _, baseline in pairs])) / size,
        }
    elif members[0]["baseline"] is None:
        row |= {"wer_diff": 0.0, "ratio": 1.0}
    return row


def _changed(members: list[dict[str, Any]], references: References) -> dict[str, Any] | None:
    """Utterances whose file and Keras model do not agree; None where there is no file."""
    if not members[0]["executed_on_device"]:
        return None
    changed = sum(len(p["keras_hypotheses"]) for c in members for p in c["splits"].values())
    utterances = len(members) * sum(len(texts) for texts in references.values())
    return {"changed": changed, "of": utterances, "share": changed / utterances}


def _spread(values: list[float]) -> dict[str, float]:
    return {"mean": float(np.mean(values)), "min": min(values), "max": max(values)}


def _errors(cell: dict[str, Any], references: References, splits: tuple[str, ...]) -> ErrorCounts:
    """Word errors of each utterance of these splits, one split after the other."""
    parts = [
        _word_errors(tuple(references[s]), tuple(cell["splits"][s]["hypotheses"])) for s in splits
    ]
    return ErrorCounts(
        np.concatenate([part.errors for part in parts]),
        np.concatenate([part.lengths for part in parts]),
    )


# The summary is written again and again while a study runs: what is known is not counted anew.
@functools.lru_cache(maxsize=4096)
def _word_errors(references: tuple[str, ...], hypotheses: tuple[str, ...]) -> ErrorCounts:
    return word_errors(list(references), list(hypotheses))


def _interval(own: ErrorCounts, other: ErrorCounts) -> tuple[float, float]:
    arrays = (own.errors, other.errors, own.lengths)
    return _cached_interval(*(tuple(array.tolist()) for array in arrays))


@functools.lru_cache(maxsize=4096)
def _cached_interval(errors, baseline, lengths) -> tuple[float, float]:
    shared = np.array(lengths)
    return paired_interval(
        ErrorCounts(np.array(errors), shared), ErrorCounts(np.array(baseline), shared)
    )


def _total(cells: list[dict[str, Any]], references: References) -> ErrorCounts:
    """Errors of all cells on each utterance of all splits."""
    counts = [_errors(cell, references, tuple(references)) for cell in cells]
    return ErrorCounts(
        np.sum([c.errors for c in counts], axis=0), np.sum([c.lengths for c in counts], axis=0)
    )
