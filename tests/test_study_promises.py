"""What a study was meant to show, and what its results say of it."""

import dataclasses

import pytest

from asr_qat import files
from asr_qat.config import from_dict
from asr_qat.errors import UserError
from experiments.study.promises import FIGURES, Figure, Promise, kept
from experiments.study.saved_study import read_study
from experiments.study.study_page import markdown_page, report_parts
from experiments.study.study_tables import targets_table
from tests.study_fixtures import VARIANTS, write_study

NAME = "w4a8_native_s240"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("study"), VARIANTS[:3])


@pytest.fixture(scope="module")
def row(path):
    (found,) = [row for row in read_study(path).variants if row.name == NAME]
    return found


def values(rows, *promises):
    return [row.value for row in kept(promises, rows)]


def test_figures_are_those_of_the_variant(row):
    low, high = row.wer_diff_ci
    figures = ("ratio", "seeds", "difference", "lower", "upper", "width")
    found = values([row], *(Promise(NAME, figure) for figure in figures))
    differences = [100 * each for each in (row.wer_diff, low, high, high - low)]
    assert found == pytest.approx([7_200_000 / 1_100_000, 3, *differences])
    assert values([row], Promise(NAME, "wer", split="dev")) == [100 * row.wer["dev"].mean]
    assert {*FIGURES, "wer"} == set(Figure.__args__)


def test_what_is_met(row):
    promises = [
        Promise(NAME, "ratio", at_least=6.5),
        Promise(NAME, "ratio", at_least=6.6),
        Promise(NAME, "wer", at_most=100 * row.wer["test"].mean, split="test"),
        Promise(NAME, "upper"),
        Promise("w2a8_native_s240", "difference", at_most=100.0),  # not there yet
    ]
    found = kept(promises, [row])
    assert [each.met for each in found] == [True, False, True, None, False]
    assert [each.target for each in found] == [6.5, 6.6, 100 * row.wer["test"].mean, None, 100.0]
    assert found[-1].value is None
    assert found[2].name == f"{NAME}: WER %, test"


def test_they_open_the_report(path, row):
    promises = [Promise(NAME, "seeds", at_least=3), Promise("other", "ratio", at_least=3)]
    content = files.read_json(path)
    plain = read_study(path)
    assert plain.summary.targets == () and "Target" not in markdown_page(
        plain, report_parts(plain), "x"
    )
    content["targets"] = [dataclasses.asdict(each) for each in kept(promises, [row])]
    files.write_json(path.with_name("study_told.json"), content)
    path.with_suffix("").rename(path.with_name("study_told"))
    study = read_study(path.with_name("study_told.json"))
    table = targets_table(study)
    assert table.title == "Targets: 1 of 2 met"
    assert table.frame.values.tolist() == [
        [f"{NAME}: seeds", "3", "3", "met"],
        ["other: times smaller than float32", "–", "3", "missed"],
    ]
    assert report_parts(study).shown[0].title == table.title


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"figure": "wer"}, "a: wer: split: is of wer, and of it"),
        ({"figure": "ratio", "split": "test"}, "a: ratio: split: is of wer"),
        ({"figure": "ratio", "at_most": 1.0, "at_least": 1.0}, "at_most or at_least, not both"),
        ({"figure": "size"}, "figure"),
    ],
)
def test_mistakes(given, said):
    with pytest.raises(UserError, match=said):
        from_dict(Promise, {"variant": "a", **given}, "targets")
