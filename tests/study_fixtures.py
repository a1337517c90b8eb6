"""A made-up study, written as a real one is."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from experiments.study import summary
from experiments.study.cell_rows import cell_result
from experiments.study.paired_differences import Spoken
from tflite_export.score.statistics import interval, word_errors

WORDS = "ENTER ERASE GO HELP NO REPEAT RUBOUT START STOP YES <B> A&B".split()
SPLITS = {"test": 24, "dev": 16}  # utterances
SPEAKERS = 4  # of each split
COMMITS = ("aaaaaaaaaaaa", "bbbbbbbbbbbb-dirty")
GRID = "grid"
NO_FILE = dict.fromkeys(("rtf", "latency_ms", "threads"))
LAYERS = ("ffn1_expand", "ffn1_project", "attention_query", "conv_in")


@dataclasses.dataclass(frozen=True)
class Variant:
    """Cells of a study that differ in the seed."""

    name: str
    precision: str
    method: str
    weights: int | None
    activations: str
    errors: float  # share of the words that are replaced
    size: int = 7_200_000  # without a file: of bare weights
    groups: tuple[str, ...] = (GRID,)
    scheme: str = "symmetric, per channel"
    on_device: bool = True


FLOAT = Variant("float_s240", "float", "float", 32, "float", 0.1, groups=(GRID, "mixtures"))
VARIANTS = (
    FLOAT,
    Variant("w4a8_ptq_s240", "w4a8", "ptq", 4, "int8 dynamic", 0.2, 1_100_000),
    Variant("w4a8_native_s240", "w4a8", "native-qat", 4, "int8 dynamic", 0.1, 1_100_000),
    Variant("w4a8_fake_s240", "w4a8", "fake-qat", 4, "int8 dynamic", 0.12, 1_100_000),
    Variant(
        "w32a8_native_s240", "w32a8", "native-qat", 32, "int8 dynamic", 0.1, 7_100_000,
        on_device=False,
    ),
    Variant("w2a8_native_s240", "w2a8", "native-qat", 2, "int8 dynamic", 0.3, 650_000),
    Variant(
        "w4a8_native_s240_int8", "w4a8", "native-qat", 4, "int8 everywhere", 0.14, 1_250_000,
        ("full integer",),
    ),
    Variant(
        "w2a8-asym_native_s240", "w2a8-asym", "native-qat", 2, "int8 dynamic", 0.2, 650_000,
        ("two | bits",), "asymmetric, per channel",
    ),
    Variant(
        "auto<5x>_native_s240", "w4a8", "native-qat", None, "int8 dynamic", 0.1, 1_300_000,
        ("mixtures",), "symmetric, per channel, mixed by layer",
    ),
    Variant(
        "auto<w4a8>_native_s240", "w4a8", "native-qat", None, "int8 dynamic", 0.12, 1_095_000,
        ("mixtures",), "symmetric, per channel, mixed by layer",
    ),
)  # fmt: skip


def references(seed: int = 0) -> dict[str, list[str]]:
    """Texts of each split."""
    rng = np.random.default_rng(seed)
    return {
        split: [" ".join(rng.choice(WORDS, rng.integers(1, 8))) for _ in range(number)]
        for split, number in SPLITS.items()
    }


def heard(text: str, share: float, rng: np.random.Generator) -> str:
    """A text with errors of all kinds."""
    found: list[str] = []
    for word in text.split():
        if rng.random() < share:
            found += [[], [str(rng.choice(WORDS))], [word, "NO"]][rng.integers(3)]
        else:
            found.append(word)
    return " ".join(found)


def write_study(folder: Path, variants=VARIANTS, seeds=(0, 1, 2), texts=None) -> Path:
    """Main file, cells, references, sensitivity and histograms. Returns the main file's path."""
    texts = texts or references()
    cells = [cell(variant, seed, texts) for variant in variants for seed in seeds]
    by_name = {each["name"]: each for each in cells}
    main, beside = folder / "study_made.json", folder / "study_made"
    write(main, results(cells, texts))
    for name, each in by_name.items():
        write(beside / "cells" / f"{name}.json", each)
    write(beside / "references.json", texts)
    write(beside / "sensitivity.json", sensitivity())
    write(beside / "histograms.json", histograms())
    return main


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def cell(variant: Variant, seed: int, texts: dict[str, list[str]]) -> dict[str, Any]:
    """As the file of a finished cell."""
    rng = np.random.default_rng([seed, *variant.name.encode()])
    splits = {}
    for split, lines in texts.items():
        hypotheses = [heard(line, variant.errors, rng) for line in lines]
        counts = word_errors(lines, hypotheses)
        splits[split] = {
            "utterances": len(lines), "words": int(counts.lengths.sum()),
            "wer": counts.rate, "wer_ci": interval(counts), "cer": counts.rate / 2,
            "rtf": 0.003, "latency_ms": {"p50": 5.0, "p95": 9.0, "p99": 12.0}, "threads": 1,
            "keras_wer": counts.rate, "hypotheses": hypotheses,
            "keras_hypotheses": {"utt-1": "YES"} if seed and variant.on_device else {},
            **(NO_FILE if not variant.on_device else {}),
        }  # fmt: skip
    mixed = variant.weights is None
    return {
        "name": f"{variant.name}_seed{seed}", "variant": variant.name,
        "groups": list(variant.groups), "precision": variant.precision,
        "baseline": None if variant.method == "float" else f"{FLOAT.name}_seed{seed}",
        "method": variant.method, "bytes": variant.size, "weights": variant.weights,
        "activations": variant.activations, "scheme": variant.scheme, "seed": seed,
        "steps": 240, "executed_on_device": variant.on_device,
        "max_logit_diff": 0.3 if variant.on_device else None,
        "median_logit_diff": 2e-6 if variant.on_device else None,
        "splits": splits,
        "seconds": {"train": 300.0, "score": 5.0},
        "fingerprint": {
            "method": variant.method,
            "quantization": {"overrides": {"^ctc_output$": "w8a8"}} if mixed else {},
            "training": {"steps": 240}, "start": None, "corpus": "", "seconds": [4.0, 8.0],
            "splits": list(texts),
        },
        "provenance": provenance(COMMITS[seed % 2], f"CPU & {seed % 2}", seed),
    }  # fmt: skip


def results(cells, texts) -> dict[str, Any]:
    """As the main file."""
    by_name = {each["name"]: cell_result(each, each["name"]) for each in cells}
    spoken = Spoken(
        texts,
        {
            split: [f"{split}-{place % SPEAKERS}" for place in range(len(lines))]
            for split, lines in texts.items()
        },
    )
    return {
        "rows": [dataclasses.asdict(row) for row in summary.cell_rows(by_name, spoken)],
        "pooled": [dataclasses.asdict(row) for row in summary.variant_rows(by_name, spoken)],
        "cells": {"planned": len(cells), "finished": len(cells)},
        "corpus": {
            "name": "made up", "description": "words & <tags>", "licence": None, "notice": None,
            "splits": {
                split: {
                    "utterances": len(lines), "words": sum(len(x.split()) for x in lines),
                    "speakers": spoken.speakers[split],
                }
                for split, lines in texts.items()
            },
        },
        **provenance("0123456789ab"),
    }  # fmt: skip


def provenance(commit: str, cpu: str = "Some CPU", seed: int | None = None) -> dict[str, Any]:
    """As `asr_qat.provenance` writes it."""
    return {
        "command": "asr-qat study --config made.yaml && echo <done>", "commit": commit,
        "versions": {"python": "3.11.9", "tensorflow": "2.17.1"},
        "hardware": {"cpu": cpu, "vnni": True, "cores": 2, "memory_gb": 7.7}, "seed": seed,
    }  # fmt: skip


def sensitivity(blocks: int = 3) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    names = [f"block_{block:02d}_{kind}" for block in range(blocks) for kind in LAYERS]
    rows = [
        {
            "layer": name, "precision": f"w{bits}a8", "bytes": 512 * bits,
            "loss": rng.normal(1, 2) / 4**bits, "divergence": abs(rng.normal(1, 0.5)) / 4**bits,
        }
        for name in [*names, "ctc_output"] for bits in (8, 4, 2)
    ]  # fmt: skip
    return {
        "loss": 3.1, "utterances": 79, "float_bytes": 9000, "other_bytes": 8, "rows": rows,
    }  # fmt: skip


def histograms() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    edges = np.linspace(-8, 8, 65)

    def counts(width: float) -> dict[str, Any]:
        weights = np.clip(rng.normal(0, width, 4096), -7, 7)
        values, numbers = np.unique(np.round(weights).astype(int), return_counts=True)
        return {
            "weights": np.histogram(weights, edges)[0].tolist(),
            "integers": {"values": values.tolist(), "counts": numbers.tolist()},
        }

    layer = {"bits": 4, "edges": edges.tolist()}
    return {
        "w4a8_native_s240_seed0": {
            f"block_01_{kind}": {**layer, "before": counts(2.2), "after": counts(2.8)}
            for kind in LAYERS
        }
    }
