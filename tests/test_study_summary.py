"""What several seeds say together, against sums and draws written out."""

import dataclasses

import numpy as np
import pytest

from experiments.study.cell_rows import cell_result
from experiments.study.paired_differences import Spoken
from experiments.study.study_rows import Changed
from experiments.study.summary import cell_rows, variant_rows
from tests.study_fixtures import provenance
from tflite_export.score.statistics import RESAMPLES, speaker_interval

WORDS = "ONE TWO THREE FOUR FIVE".split()
SPLITS = {"test": 7, "dev": 5}  # utterances
SPEAKERS = {"test": ["ann", "ann", "bob", "", "bob", "cy", ""], "dev": ["", "di", "di", "di", ""]}
UNITS = [0, 0, 1, 2, 1, 3, 4, 5, 6, 6, 6, 7]  # of the same utterances
TRAINING = {"steps": 2}


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
            "utterances": len(references),
            "words": total,
            "wer_ci": [0.0, 1.0],
            "cer": 0.1,
            "rtf": 0.01,
            "latency_ms": None,
            "threads": 1,
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
        "fingerprint": made(),
        "provenance": provenance("0123456789ab"),
        "max_logit_diff": 0.1,
        "median_logit_diff": 1e-6,
        "seconds": {"train": 1.0},
        "splits": splits,
        **changes,
    }
    return cell_result(content, content["name"]), errors


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
            cells[content.name] = content
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
    _, row = variant_rows(cells, Spoken(texts, SPEAKERS))
    np.testing.assert_allclose(row.wer_diff_ci, np.percentile(differences, [2.5, 97.5]))
    total = 3 * sum(len(text.split()) for split in texts.values() for text in split)
    more = sum(
        sign * sum(map(sum, errors[name, seed].values()))
        for name, sign in (("w4", 1), ("float", -1))
        for seed in range(3)
    )
    assert row.wer_diff == pytest.approx(more / total)
    assert row.paired_seeds == (0, 1, 2)


def test_speakers_and_seeds_are_drawn_for_the_second_interval(example):
    texts, cells, errors = example
    own, other = (
        np.array([sum(errors[name, seed].values(), []) for seed in range(3)])
        for name in ("w4", "float")
    )
    lengths = np.array([len(text.split()) for split in texts.values() for text in split])
    _, row = variant_rows(cells, Spoken(texts, SPEAKERS))
    expected = speaker_interval(own, other, lengths, np.array(UNITS))
    assert row.wer_diff_ci_speakers == expected
    by_seed = (own - other).sum(axis=1) / lengths.sum()
    assert row.wer_diff_by_seed == pytest.approx(tuple(by_seed.tolist()))
    assert np.mean(row.wer_diff_by_seed) == pytest.approx(row.wer_diff)


def numbers(speakers) -> list[int]:
    return Spoken({}, speakers).speaker_numbers().tolist()


def test_an_utterance_without_a_speaker_is_its_own():
    assert numbers(SPEAKERS) == UNITS
    assert numbers({"test": ["", ""], "dev": [""]}) == [0, 1, 2]
    assert numbers({"test": ["ann"], "dev": ["ann"]}) == [0, 0]  # of both splits


def test_pooled_figures(example):
    texts, cells, errors = example
    baseline, row = variant_rows(cells, Spoken(texts, SPEAKERS))
    for split in SPLITS:
        words = sum(len(text.split()) for text in texts[split])
        rates = [sum(errors["w4", seed][split]) / words for seed in range(3)]
        expected = {"mean": np.mean(rates), "min": min(rates), "max": max(rates)}
        assert dataclasses.asdict(row.wer[split]) == pytest.approx(expected)
    assert row.changed_hypotheses == Changed(3, 3 * 12, 3 / 36)
    assert (row.bytes, row.ratio, row.seeds) == (100, 7.0, (0, 1, 2))
    assert (baseline.wer_diff, baseline.wer_diff_ci, baseline.ratio) == (0.0, None, 1.0)


def test_only_seeds_that_have_their_baseline_are_paired(example):
    texts, cells, _ = example
    some = {name: content for name, content in cells.items() if name != "float_seed1"}
    row = variant_rows(some, Spoken(texts, SPEAKERS))[-1]
    assert (row.seeds, row.paired_seeds) == ((0, 1, 2), (0, 2))
    other = {name: content for name, content in cells.items() if "float" not in name}
    (row,) = variant_rows(other, Spoken(texts, SPEAKERS))
    assert row.wer_diff is row.wer_diff_ci is row.ratio is None
    assert row.wer_diff_ci_speakers is row.wer_diff_by_seed is None


MIXTURE = {"weights": None, "bytes": 1010}


def with_variants(example, variants):
    """The example with further variants, by name: how often they err and what else they are."""
    texts, cells, errors = example
    rng = np.random.default_rng(5)
    cells, errors = dict(cells), dict(errors)
    for seed in range(3):
        for name, (rate, changes) in variants.items():
            content, found = cell(name, seed, texts, rate, rng, f"float_seed{seed}", **changes)
            cells[content.name] = content
            errors[name, seed] = found
    return {row.name: row for row in variant_rows(cells, Spoken(texts, SPEAKERS))}, errors


def made(**changes):
    return {
        "method": "native",
        "quantization": {},
        "training": TRAINING,
        "start": None,
        "corpus": "",
        "seconds": [4.0],
        "splits": list(SPLITS),
        **changes,
    }


def test_a_mixture_is_compared_with_the_best_uniform_scheme_of_its_bytes(example):
    mixed = {"overrides": {"^a$": "w8a8", "^b$": "w2a8-clip", "^c$": "w8a8"}}
    found, errors = with_variants(
        example,
        {
            "mixture": (0.3, {**MIXTURE, "fingerprint": made(quantization=mixed)}),
            "nearest": (0.9, {"bytes": 1011}),
            "best": (0.2, {"bytes": 1030, "fingerprint": made(quantization={"precision": "w3"})}),
            "too large": (0.0, {"bytes": 1031}),
            "longer": (0.0, {"bytes": 1010, "fingerprint": made(training={"steps": 3})}),
            "taught": (
                0.0,
                {"bytes": 1010, "fingerprint": made(training={**TRAINING, "distillation": {}})},
            ),
            "staged": (0.0, {"bytes": 1010, "fingerprint": made(quantization={"stages": {0: 8}})}),
            "fake": (0.0, {"bytes": 1010, "method": "fake-qat"}),
            "int8": (0.0, {"bytes": 1010, "fingerprint": made(full_integer="int8")}),
            "no file": (0.0, {"bytes": 1010, "executed_on_device": False}),
        },
    )
    assert {name for name, row in found.items() if row.uniform} == {"mixture"}
    assert found["mixture"].precisions == ("mixture", "w8a8", "w2a8-clip")
    assert found["best"].precisions is None
    uniform = found["mixture"].uniform
    assert (uniform.name, uniform.precision, uniform.bytes) == ("best", "best", 1030)
    more = sum(
        sign * sum(map(sum, errors[name, seed].values()))
        for name, sign in (("mixture", 1), ("best", -1))
        for seed in range(3)
    )
    words = 3 * sum(len(text.split()) for split in example[0].values() for text in split)
    assert uniform.wer_diff == pytest.approx(more / words)
    low, high = uniform.wer_diff_ci
    assert low <= uniform.wer_diff <= high
    assert len(uniform.wer_diff_by_seed) == 3


def test_a_mixture_without_a_uniform_scheme_of_its_size(example):
    variants = {"mixture": (0.3, MIXTURE), "smaller": (0.2, {"bytes": 989})}
    found, _ = with_variants(example, variants)
    assert found["mixture"].uniform is None
    found, _ = with_variants(example, {**variants, "within": (0.2, {"bytes": 990})})
    assert found["mixture"].uniform.name == "within"


def test_row_of_a_cell(example):
    texts, cells, errors = example
    found = {row.name: row for row in cell_rows(cells, Spoken(texts, SPEAKERS))}
    row = found["w4_seed2"]
    words = sum(len(text.split()) for text in texts["test"])
    more = sum(errors["w4", 2]["test"]) - sum(errors["float", 2]["test"])
    assert row.wer_diff == pytest.approx(more / words)
    low, high = row.wer_diff_ci
    assert low <= row.wer_diff <= high
    assert row.ratio == 7.0
    assert row.commit == "0123456789ab"
    assert not {"hypotheses", "keras_hypotheses"} & set(vars(row.splits["test"]))
    assert found["float_seed2"].wer_diff_ci is None


def test_the_same_text_as_in_keras_is_said_of_each_split(example):
    texts, cells, _ = example
    row = cell_rows(cells, Spoken(texts, SPEAKERS))[-1]
    assert row.splits["test"].identical_hypotheses == 1
    assert row.splits["dev"].identical_hypotheses == pytest.approx(1 - 1 / 5)
    assert row.first.identical_hypotheses == 1  # of the first, as the error rate


def test_without_a_file_there_are_no_bytes_and_no_agreement(example):
    texts, cells, _ = example
    some = {
        name: dataclasses.replace(content, executed_on_device=content.baseline is None)
        for name, content in cells.items()
    }
    row = variant_rows(some, Spoken(texts, SPEAKERS))[-1]
    assert row.bytes is row.ratio is row.changed_hypotheses is None
    assert row.wer_diff is not None
    row = cell_rows(some, Spoken(texts, SPEAKERS))[-1]
    assert row.bytes is row.ratio is row.first.identical_hypotheses is None
    assert {part.identical_hypotheses for part in row.splits.values()} == {None}
