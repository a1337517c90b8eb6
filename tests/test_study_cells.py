"""Which cells a study has, and when they are the same work."""

import dataclasses
import itertools
import pickle

import pytest

from asr_qat.config import from_dict, load_yaml
from asr_qat.errors import UserError
from asr_qat.quantize.precision import parse
from experiments.study.cell_rows import Scheme
from experiments.study.config import ACTIVATIONS, StudyConfig
from experiments.study.fingerprint import not_default
from experiments.study.planned_cells import expand
from experiments.study.scheme import describe
from tests.training_fixtures import REPOSITORY

GRID = {
    "weights": [32, 8, 4, 2],
    "activations": ["float", "int8 dynamic", "int8 static"],
    "methods": ["ptq", "fake", "native"],
}


def configuration(groups, **changes) -> StudyConfig:
    values = {
        "data": "data",
        "output": "results/study",
        "work": "work/study",
        "start": "models/start",
        "training": {"steps": 240, "optimizer": {"schedule": {"peak": 1e-4, "warmup": 20}}},
        "groups": groups,
        **changes,
    }
    return from_dict(StudyConfig, values, "study.yaml")


def names(config) -> list[str]:
    return [cell.name for cell in expand(config)]


def refusal(groups, **changes) -> str:
    with pytest.raises(UserError) as caught:
        expand(configuration(groups, **changes))
    return str(caught.value)


def test_grid_is_complete_and_every_name_unique():
    cells = expand(configuration({"grid": GRID}))
    found = {cell.name for cell in cells}
    precisions = [
        f"w{weights}{ACTIVATIONS[kind]}"
        for weights, kind in itertools.product(GRID["weights"], GRID["activations"])
    ]
    precisions.remove("w32")
    expected = {f"float_s240_seed{seed}" for seed in range(3)} | {
        f"{precision}_{method}_s240_seed{seed}"
        for precision in precisions
        for method in GRID["methods"]
        for seed in range(3)
    }
    assert found == expected
    assert len(cells) == len(found) == 3 + 11 * 3 * 3


def test_each_cell_is_what_its_name_says():
    for cell in expand(configuration({"grid": GRID})):
        variant, seed = cell.name.rsplit("_seed", 1)
        precision, *methods, setting = variant.split("_")
        method = methods[0] if methods else "float"
        assert (cell.method, cell.variant, cell.training.seed) == (method, variant, int(seed))
        assert cell.training.steps == 240 and setting == "s240"
        assert cell.training.optimizer.schedule.warmup == 20
        if method == "float":
            assert cell.quantization is None and cell.baseline is None
        else:
            assert cell.quantization.precision == precision
            assert method == "ptq" or cell.training.quantization.mode == method
            assert cell.baseline == f"float_s240_seed{seed}"


def test_baselines_come_first_and_ptq_quantizes_them():
    cells = expand(configuration({"grid": GRID}))
    assert [cell.method == "float" for cell in cells[:4]] == [True, True, True, False]
    by_name = {cell.name: cell for cell in cells}
    for cell in cells:
        if cell.method == "ptq":
            assert cell.training == by_name[cell.baseline].training
            assert cell.file != by_name[cell.baseline].file
        elif cell.method != "float":
            plain = dataclasses.replace(
                cell.training,
                quantization=None,
                output=by_name[cell.baseline].training.output,
            )
            assert plain == by_name[cell.baseline].training


def test_training_of_its_own_has_a_baseline_of_its_own():
    long = {"precisions": ["w2a8"], "training": {"steps": 900}}
    wide = {
        "precisions": ["w2a8"],
        "training": {"steps": 900, "optimizer": {"schedule": {"peak": 0.001}}},
    }
    config = configuration(
        {"short": {"precisions": ["w4a8"]}, "long": long, "wide": wide}, seeds=[0]
    )
    cells = {cell.name: cell for cell in expand(config)}
    assert set(cells) == {
        "float_s240_seed0",
        "w4a8_native_s240_seed0",
        "float_s900_seed0",
        "w2a8_native_s900_seed0",
        "float_s900-wide_seed0",
        "w2a8_native_s900-wide_seed0",
    }
    schedule = cells["float_s900-wide_seed0"].training.optimizer.schedule
    assert (schedule.peak, schedule.warmup) == (0.001, 20)  # merged deeply


def test_seeds_of_a_group_and_their_baselines():
    long = {"precisions": ["w2a8"], "training": {"steps": 900}, "seeds": [1, 7]}
    groups = {"some": {"precisions": ["w4a8"]}, "long": long, "more": {**long, "seeds": None}}
    cells = {cell.name: cell for cell in expand(configuration(groups, seeds=[0, 1]))}
    of_the_study = {
        f"{name}_s240_seed{seed}" for name in ("float", "w4a8_native") for seed in (0, 1)
    }
    of_both = {f"{name}_s900_seed{seed}" for name in ("float", "w2a8_native") for seed in (0, 1, 7)}
    assert set(cells) == of_the_study | of_both
    for seed, groups in ((0, ("more",)), (1, ("long", "more")), (7, ("long",))):
        assert cells[f"w2a8_native_s900_seed{seed}"].groups == groups
        assert cells[f"float_s900_seed{seed}"].groups == groups
    # Nothing but the seed tells a cell of the group from one with the study's seeds.
    plain = expand(configuration({"long": {**long, "seeds": None}}, seeds=[1, 7]))
    assert [cells[cell.name].training for cell in plain] == [cell.training for cell in plain]
    assert "seeds: is empty" in refusal({"long": {**long, "seeds": []}})


def test_same_cell_of_two_groups_is_run_once():
    config = configuration({"a": {"precisions": ["w4a8", "w8a8"]}, "b": {"precisions": ["w4a8"]}})
    groups = {cell.name: cell.groups for cell in expand(config)}
    assert groups["w4a8_native_s240_seed1"] == ("a", "b")
    assert groups["w8a8_native_s240_seed1"] == ("a",)
    assert groups["float_s240_seed1"] == ("a", "b")


def test_recipe_and_quantization_are_of_the_quantized_cells_alone():
    group = {
        "precisions": ["w4a8"],
        "quantization": {"overrides": {"^block_00_": "w8a8"}, "start_step": 10},
        "recipe": {"optimizer": {"clip_norm": 1.0}},
    }
    baseline, cell = expand(configuration({"first": group}, seeds=[5]))
    assert cell.name == "w4a8+first_native_s240_seed5"
    assert cell.training.quantization.overrides == {"^block_00_": "w8a8"}
    assert cell.training.optimizer.clip_norm == 1.0
    assert baseline.training.optimizer.clip_norm != 1.0
    assert baseline.name == "float_s240_seed5"


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ({}, "no cells"),
        ({"precisions": ["w5"]}, "w5"),
        ({"weights": [4], "activations": ["int7"]}, "int7"),
        ({"weights": [4]}, "both or none"),
        ({"precisions": ["w4a8"], "methods": ["qat"]}, "qat"),
        ({"precisions": ["w4a8"], "training": {"step": 3}}, "did you mean 'steps'"),
        ({"precisions": ["w4a8"], "training": {"seed": 3}}, "seed"),
        ({"precisions": ["w4a8"], "recipe": {"steps": 3}}, "those of the baseline"),
        ({"precisions": ["w4a8"], "recipe": {"keep": "last"}, "methods": ["ptq"]}, "ptq"),
        ({"precisions": ["w4a8"], "quantization": {"mode": "fake"}}, "see precisions, methods"),
        ({"precisions": ["w4a8"], "label": "x", "quantization": {"start": 1}}, "start_step"),
        ({"precisions": ["w4a8"], "budgets": [2.5]}, "budgets[0]: expected text or a whole number"),
        ({"precisions": ["w4a8", "w4a4"], "full_integer": ["int8"]}, "full_integer: w4a4: LiteRT"),
        ({"precisions": ["w4a8-b32"], "full_integer": ["int8"]}, "full_integer: w4a8-b32: LiteRT"),
        (
            {
                "precisions": ["w4a8"],
                "full_integer": ["int8"],
                "quantization": {"overrides": {"^block_00_": "w4a8-b64"}},
            },
            "full_integer: w4a8-b64: LiteRT",
        ),
    ],
)
def test_bad_group_is_refused_by_name(group, message):
    found = refusal({"grid": group})
    assert message in found and "grid" in found


def test_two_cells_of_one_name_are_refused():
    first = {"precisions": ["w4a8"], "quantization": {"start_step": 1}, "label": "late"}
    other = {"precisions": ["w4a8"], "quantization": {"start_step": 2}, "label": "late"}
    assert refusal({"a": first, "b": other}).endswith("give the group another `label`")


@pytest.mark.parametrize("label", [None, "often"])
def test_as_many_steps_of_another_kind_have_a_name_of_their_own(label):
    often = {"precisions": ["w8a8"], "training": {"evaluate_every": 50}, "label": label}
    groups = {"a": {"precisions": ["w4a8"]}, "b": often, "c": often}
    cells = {cell.name: cell for cell in expand(configuration(groups, seeds=[0]))}
    setting, suffix = (f"s240-{label}", f"+{label}") if label else ("s240-b", "")
    assert set(cells) == {
        "float_s240_seed0",
        "w4a8_native_s240_seed0",
        f"float_{setting}_seed0",
        f"w8a8{suffix}_native_{setting}_seed0",
    }
    assert cells["float_s240_seed0"].training.evaluate_every is None
    assert cells[f"float_{setting}_seed0"].training.evaluate_every == 50
    assert cells[f"float_{setting}_seed0"].groups == ("b", "c")


def test_the_seconds_of_the_study_are_no_other_cells():
    same = {"precisions": ["w4a8", "w8a8"], "seconds": [4.0, 8.0]}
    short = {"precisions": ["w4a8"], "seconds": [4.0]}
    groups = {"same": same, "plain": {"precisions": ["w4a8"]}, "short": short}
    cells = {cell.name: cell for cell in expand(configuration(groups, seeds=[0]))}
    assert set(cells) == {
        "float_s240_seed0",
        "w4a8_native_s240_seed0",
        "w8a8_native_s240_seed0",
        "float_s240-short_seed0",
        "w4a8_native_s240-short_seed0",
    }
    assert cells["w4a8_native_s240_seed0"].groups == ("same", "plain")


def test_cells_survive_the_way_to_a_worker():
    for cell in expand(configuration({"grid": GRID}, seeds=[0])):
        assert pickle.loads(pickle.dumps(cell)) == cell


def test_defaults_are_omitted():
    (cell, *_) = expand(configuration({"grid": GRID}, seeds=[0]))
    assert not_default(cell.training) == {
        "data": "data",
        "output": "work/study/float_s240_seed0",
        "steps": 240,
        "start": "models/start",
        "optimizer": {"schedule": {"peak": 1e-4, "warmup": 20}},
        "evaluate_every": None,
        "keep": "last",
    }


@pytest.mark.parametrize(
    ("precision", "weights", "activations", "scheme", "executed"),
    [
        ("w4a8", 4, "int8 dynamic", "symmetric, per channel", True),
        ("w8a8s", 8, "int8 static", "symmetric, per channel", True),
        ("w2-asym-clip", 2, "float", "asymmetric, per channel, range by search", True),
        ("w4a8-b32", 4, "int8 dynamic", "symmetric, blocks of 32", True),
        ("w1a8", 1, "int8 dynamic", "signs, per channel", True),
        ("w4a4", 4, "int4 dynamic", "symmetric, per channel", False),
        ("w32a8", 32, "int8 dynamic", "float", False),
        ("two_bit", None, "int8 dynamic", "symmetric, per channel; mixed by layer", True),
    ],
)
def test_words_of_a_precision(precision, weights, activations, scheme, executed):
    _, cell = expand(configuration({"g": {"precisions": [precision]}}, seeds=[0]))
    assert describe(cell.quantization) == Scheme(
        weights=weights,
        activations=activations,
        scheme=scheme,
        executed_on_device=executed,
    )


def test_shipped_study_has_the_whole_grid():
    config = load_yaml(REPOSITORY / "configs/study_an4.yaml", StudyConfig)
    seeds = set(config.seeds)
    grid = {}
    for cell in expand(config):
        words = describe(cell.quantization)
        if "grid" in cell.groups and cell.method != "float":
            key = (words.weights, words.activations, cell.method)
            grid.setdefault(key, []).append(cell.training.seed)
    assert len(seeds) >= 3
    for weights, kind, method in itertools.product(
        (32, 8, 4, 2), list(ACTIVATIONS)[:3], GRID["methods"]
    ):
        if (weights, kind) != (32, "float"):
            assert set(grid[weights, kind, method]) == seeds


def test_shipped_study_of_few_bits():
    """Enough seeds of each, all taught, in files of one signature; LiteRT executes them."""
    config = load_yaml(REPOSITORY / "configs/study_bits.yaml", StudyConfig)
    seeds = {}
    for cell in expand(config):
        assert cell.training.steps == 3000
        assert (cell.splits, cell.seconds) == (("test", "dev"), (8.0,))
        if cell.method == "float":
            assert cell.training.distillation is None
            continue
        assert cell.training.distillation is not None
        assert describe(cell.quantization).executed_on_device
        seeds.setdefault((*cell.groups, cell.quantization.precision), []).append(cell.training.seed)
    counts = {name: len(set(found)) for name, found in seeds.items()}
    assert counts == {
        ("ternary", "ternary"): 5,
        ("four_bits", "w4a8"): 3,
        ("four_levels", "w2a8-asym-learned"): 1,
        ("one_bit", "w1a8-learned"): 1,
        ("one_bit_blocks", "w1a8-learned"): 1,
    }


@pytest.mark.parametrize("name", ["study_bits", "study_librispeech"])
def test_what_is_promised_is_of_cells_that_are_planned(name):
    config = load_yaml(REPOSITORY / f"configs/{name}.yaml", StudyConfig)
    variants = {cell.variant for cell in expand(config)}
    assert config.targets and {promise.variant for promise in config.targets} <= variants
    splits = {promise.split for promise in config.targets} - {None}
    assert splits <= set(config.splits)


def test_names_of_the_grid_parse():
    for suffix in ACTIVATIONS.values():
        precision = parse(f"w4{suffix}")
        assert precision is not None and precision.name == f"w4{suffix}"
