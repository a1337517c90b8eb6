"""What several seeds say together, against sums and draws written out."""

import numpy as np
import pytest

from tflite_export.statistics import RESAMPLES
from tflite_export.study.summary import pooled, rows

WORDS = "ONE TWO THREE FOUR FIVE".split()
SPLITS = {"test": 7, "dev": 5}  # utterances


def cell(name, seed, texts, rate, rng, baseline=None, **changes):
    """A cell whose hypotheses lack or replace some words; and its errors by split."""
    splits, errors = {}, {}
    for split, references in texts.items():
        heard = []
        errors[split] = []
        for text in references:
            words = text.split()
            wrong = rng.random(len(words)) < rate
            heard.append(
                " ".join("WRONG" if bad else w for w, bad in zip(words, wrong, strict=True))
            )
            errors[split].append(int(wrong.sum()))
        total = sum(len(text.split()) for text in references)
        splits[split] = {
            "hypotheses": heard,
            "keras_hypotheses": {"a": "ONE"} if split == "dev" else {},
            "wer": sum(errors[split]) / total,
            "keras_wer": sum(errors[split]) / total,
        }
    content = {
        "name": f"{name}_seed{seed}",
        "variant": name,
        "groups": ["grid"],
        "baseline": baseline,
        "precision": name,
        "method": "native-qat" if baseline else "float",
        "weights": 4,
        "activations": "float",
        "scheme": "symmetric, per channel",
        "steps": 2,
        "seed": seed,
        "executed_on_device": True,
        "bytes": 100 if baseline else 700,
        "fingerprint": {},
        "provenance": {},
        "splits": splits,
        **changes,
    }
    return content, errors


@pytest.fixture(scope="module")
def example():
    rng = np.random.default_rng(3)
    texts = {
        split: [" ".join(rng.choice(WORDS, size=1 + rng.integers(6))) for _ in range(count)]
        for split, count in SPLITS.items()
    }
    cells, errors = {}, {}
    for seed in range(3):
        for name, rate in (("float", 0.2), ("w4", 0.4)):
            baseline = None if name == "float" else f"float_seed{seed}"
            content, found = cell(name, seed, texts, rate, rng, baseline)
            cells[content["name"]] = content
            errors[name, seed] = found
    return texts, cells, errors


def test_pooled_interval_is_that_of_draws_of_utterances(example):
    texts, cells, errors = example
    utterances = [(split, i) for split in SPLITS for i in range(SPLITS[split])]
    draws = np.random.default_rng(0).integers(0, len(utterances), (RESAMPLES, len(utterances)))
    differences = []
    for draw in draws:
        more = words = 0
        for place in draw:
            split, i = utterances[place]
            for seed in range(3):  # the same utterance for all seeds and for the baselines
                more += errors["w4", seed][split][i] - errors["float", seed][split][i]
                words += len(texts[split][i].split())
        differences.append(more / words)
    _, row = pooled(cells, texts)
    np.testing.assert_allclose(row["wer_diff_ci"], np.percentile(differences, [2.5, 97.5]))
    total = 3 * sum(len(text.split()) for split in texts.values() for text in split)
    more = sum(
        sign * sum(map(sum, errors[name, seed].values()))
        for name, sign in (("w4", 1), ("float", -1))
        for seed in range(3)
    )
    assert row["wer_diff"] == pytest.approx(more / total)
    assert row["paired_seeds"] == [0, 1, 2]


def test_pooled_figures(example):
    texts, cells, errors = example
    baseline, row = pooled(cells, texts)
    for split in SPLITS:
        words = sum(len(text.split()) for text in texts[split])
        rates = [sum(errors["w4", seed][split]) / words for seed in range(3)]
        expected = {"mean": np.mean(rates), "min": min(rates), "max": max(rates)}
        assert row["wer"][split] == pytest.approx(expected)
    assert row["changed_hypotheses"] == {"changed": 3, "of": 3 * 12, "share": 3 / 36}
    assert (row["bytes"], row["ratio"], row["seeds"]) == (100, 7.0, [0, 1, 2])
    assert (baseline["wer_diff"], baseline["wer_diff_ci"], baseline["ratio"]) == (0.0, None, 1.0)


def test_only_seeds_that_have_their_baseline_are_paired(example):
    texts, cells, _ = example
    some = {name: content for name, content in cells.items() if name != "float_seed1"}
    row = pooled(some, texts)[-1]
    assert (row["seeds"], row["paired_seeds"]) == ([0, 1, 2], [0, 2])
    other = {name: content for name, content in cells.items() if "float" not in name}
    (row,) = pooled(other, texts)
    assert row["wer_diff"] is row["wer_diff_ci"] is row["ratio"] is None


def test_a_mixture_is_compared_with_the_uniform_scheme_of_its_bytes(example):
    texts, cells, errors = example
    rng = np.random.default_rng(5)
    cells, errors = dict(cells), dict(errors)
    for seed in range(3):
        for name, weights, size in (("mixture", None, 101), ("w2", 2, 60), ("w4b", 4, 103)):
            content, found = cell(
                name, seed, texts, 0.3, rng, f"float_seed{seed}", weights=weights, bytes=size
            )
            cells[content["name"]] = content
            errors[name, seed] = found
    found = {row["name"]: row["uniform"] for row in pooled(cells, texts)}
    assert found["w4"] is None and found["float"] is None
    uniform = found["mixture"]
    assert (uniform["name"], uniform["bytes"]) == ("w4", 100)
    more = sum(
        sign * sum(map(sum, errors[name, seed].values()))
        for name, sign in (("mixture", 1), ("w4", -1))
        for seed in range(3)
    )
    words = 3 * sum(len(text.split()) for split in texts.values() for text in split)
    assert uniform["wer_diff"] == pytest.approx(more / words)
    low, high = uniform["wer_diff_ci"]
    assert low <= uniform["wer_diff"] <= high
    without = {name: c for name, c in cells.items() if c["variant"] in ("float", "mixture")}
    assert pooled(without, texts)[-1]["uniform"] is None


def test_row_of_a_cell(example):
    texts, cells, errors = example
    found = {row["name"]: row for row in rows(cells, texts)}
    row = found["w4_seed2"]
    words = sum(len(text.split()) for text in texts["test"])
    more = sum(errors["w4", 2]["test"]) - sum(errors["float", 2]["test"])
    assert row["wer_diff"] == pytest.approx(more / words)
    low, high = row["wer_diff_ci"]
    assert low <= row["wer_diff"] <= high
    assert row["ratio"] == 7.0
    assert not {"hypotheses", "keras_hypotheses"} & set(row["splits"]["test"])
    assert found["float_seed2"]["wer_diff_ci"] is None


def test_no_agreement_with_a_file_that_does_not_exist(example):
    texts, cells, _ = example
    some = {name: {**content, "executed_on_device": False} for name, content in cells.items()}
    assert pooled(some, texts)[-1]["changed_hypotheses"] is None
