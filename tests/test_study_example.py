"""The study of one's own model in docs/how-to/study.md: its cells, and what its report shows."""

import dataclasses

import pytest

from asr_qat.config import load_yaml
from experiments.study.cell_rows import Scheme
from experiments.study.config import StudyConfig
from experiments.study.planned_cells import expand
from experiments.study.saved_study import in_grid, read_study
from experiments.study.scheme import describe
from experiments.study.study_tables import grid_table, group_tables
from experiments.study.weight_histograms import shown_cells
from tests.docs_pages import titled
from tests.study_fixtures import Variant, write_study

METHODS = {"float": "float", "ptq": "ptq", "native": "native-qat"}


@pytest.fixture
def config(tmp_path) -> StudyConfig:
    path = tmp_path / "study.yaml"
    path.write_text(titled("docs/how-to/study.md")["my_study.yaml"])
    return load_yaml(path, StudyConfig, ["training.steps=240"])  # as many as made-up studies have


def test_it_has_the_cells_that_the_text_says(config):
    variants = dict.fromkeys(cell.variant for cell in expand(config))
    assert list(variants) == [
        "float_s240",
        *(f"{name}_ptq_s240" for name in ("w8a8", "w4a8", "w4", "w2a8")),
        *(f"{name}_native_s240" for name in ("w4a8", "w2a8")),
    ]


def test_its_report_has_the_grid_and_its_groups(config, tmp_path):
    variants = {}
    for cell in expand(config):
        words = describe(cell.quantization)
        variants[cell.variant] = Variant(
            cell.variant,
            cell.quantization.precision if cell.quantization else "float",
            METHODS[cell.method],
            words.weights,
            words.activations,
            0.1,
            groups=cell.groups,
            scheme=words.scheme,
        )
    study = read_study(write_study(tmp_path, tuple(variants.values()), config.seeds))
    grid = grid_table(study)
    assert grid.frame.iloc[:, :2].values.tolist() == [
        ["float", "float"],
        ["8 bits", "int8 dynamic"],
        ["4 bits", "float"],
        ["4 bits", "int8 dynamic"],
        ["2 bits", "int8 dynamic"],
    ]
    after, trained = ((grid.frame.iloc[:, column] != "–").tolist() for column in (5, 6))
    assert after == [True, True, True, True, True]
    assert trained == [True, False, False, True, True]
    assert [table.title for table in group_tables(study)] == [
        "Group: after_training",
        "Group: trained",
    ]


def test_weights_are_shown_of_its_trained_cells(config):
    assert [cell.name for cell in shown_cells(config)] == [
        "w4a8_native_s240_seed0",
        "w2a8_native_s240_seed0",
    ]


@pytest.mark.parametrize(
    ("name", "activations", "expected"),
    [
        ("w4a8_native_s240", "int8 dynamic", True),
        ("float_s900", "float", True),
        ("float_s900-long", "float", False),  # another training than the study's
        ("w4a8+late_native_s240", "int8 dynamic", False),
        ("w4a8-b32_native_s240", "int8 dynamic", False),
        ("w4a8s_native_s240_int8", "int8 everywhere", False),
    ],
)
def test_rows_of_the_grid(name, activations, expected):
    scheme = Scheme(weights=4, activations=activations, scheme="", executed_on_device=True)
    assert in_grid(scheme, name) == expected
    assert not in_grid(dataclasses.replace(scheme, weights=None), name)  # a mixture
