"""Tables and verdicts of a study, from made-up pooled rows."""

import csv
import io

import pytest

from experiments.study.csv_text import csv_text
from experiments.study.difference_tables import difference_table, mixture_table
from experiments.study.study_page import verdicts
from experiments.study.saved_study import Saved, read_study
from experiments.study.study_tables import cells_table, grid_table, group_tables, two_bit_table
from tests.study_fixtures import write_study


def pooled(name, method, weights, activations, wer, diff_ci=None, **other):
    rates = {"mean": wer, "min": wer - 0.01, "max": wer + 0.012}
    return {
        "name": name, "precision": name, "method": method, "groups": ["grid"],
        "weights": weights, "activations": activations, "scheme": "symmetric, per channel",
        "steps": 240, "seeds": [0, 1, 2], "bytes": 1_172_000, "ratio": 6.2,
        "executed_on_device": True, "wer": {"test": rates, "dev": rates},
        "wer_diff": 0.0 if diff_ci is None else sum(diff_ci) / 2, "wer_diff_ci": diff_ci,
        "wer_diff_ci_speakers": None if diff_ci is None else [diff_ci[0] - 0.007, diff_ci[1]],
        "wer_diff_by_seed": diff_ci and [diff_ci[0], sum(diff_ci) / 2, diff_ci[1]],
        "changed_hypotheses": {"changed": 3, "of": 600, "share": 0.005},
        "precisions": None, "uniform": None, **other,
    }  # fmt: skip


POOLED = [
    pooled("w4a8_native", "native-qat", 4, "int8 dynamic", 0.121, [-0.004, 0.008]),
    pooled("float", "float", 32, "float", 0.115, bytes=7_268_000, ratio=1.0),
    pooled("w4a8_ptq", "ptq", 4, "int8 dynamic", 0.14, [0.01, 0.04]),
    pooled("w32a8_native", "native-qat", 32, "int8 dynamic", 0.116, [-0.002, 0.004],
           bytes=None, ratio=None, executed_on_device=False, seeds=[0, 1]),
    pooled("w2a8_native", "native-qat", 2, "int8 dynamic", 0.19, [0.05, 0.09]),
    pooled("w2a8-asym_native", "native-qat", 2, "int8 dynamic", 0.13, [0.005, 0.025],
           groups=["two bits"], scheme="asymmetric | per channel"),
    pooled("w2a8-b64_native", "native-qat", 2, "int8 dynamic", 0.13,
           groups=["two bits"], wer_diff=None, executed_on_device=False),
]  # fmt: skip


def saved(rows) -> Saved:
    splits = {
        "test": {"utterances": 130, "words": 773, "speakers": ["ann", "bob", "", "ann"]},
        "dev": {"utterances": 79, "words": 500, "speakers": ["cy"]},
    }
    return Saved({"rows": [], "pooled": rows, "corpus": {"splits": splits}}, {})


def test_the_grid_has_a_line_for_each_pair_and_a_column_for_each_method():
    table = grid_table(saved(POOLED))
    assert table.header == [
        "Weights", "Activations", "MB", "Smaller", "Runs in",
        "post-training: WER test %; difference, changed test+dev",
        "native QAT: WER test %; difference, changed test+dev", "Seeds",
    ]  # fmt: skip
    assert table.rows == [
        ["float", "float", "7.27", "1.0x", "LiteRT", "11.5 (10.5–12.7)", "11.5 (10.5–12.7)", "3"],
        ["float", "int8 dynamic", "–", "–", "training only", "–",
         "11.6 (10.6–12.8); +0.1 [-0.2, +0.4]", "2"],
        ["4 bits", "int8 dynamic", "1.17", "6.2x", "LiteRT",
         "14.0 (13.0–15.2); +2.5 [+1.0, +4.0]; 0.5% changed",
         "12.1 (11.1–13.3); +0.2 [-0.4, +0.8]; 0.5% changed", "3"],
        ["2 bits", "int8 dynamic", "1.17", "6.2x", "LiteRT", "–",
         "19.0 (18.0–20.2); +7.0 [+5.0, +9.0]; 0.5% changed", "3"],
    ]  # fmt: skip


def test_a_cell_of_the_grid_names_its_steps_if_there_are_several():
    longer = pooled("longer", "native-qat", 4, "int8 dynamic", 0.1, [-0.02, 0.01], steps=1500)
    longer["wer"]["test"] = {"mean": 0.1, "min": 0.1, "max": 0.1}
    (line,) = grid_table(saved([POOLED[0], longer])).rows
    assert line[-2] == (
        "12.1 (11.1–13.3); +0.2 [-0.4, +0.8]; 0.5% changed; at 240 steps / "
        "10.0; -0.5 [-2.0, +1.0]; 0.5% changed; at 1,500 steps"
    )


def test_two_bits_of_all_groups_the_least_loss_first():
    table = two_bit_table(saved(POOLED))
    assert [line[0] for line in table.rows] == [
        "w2a8-asym_native", "w2a8_native", "w2a8-b64_native",
    ]  # fmt: skip
    first = dict(zip(table.header, table.rows[0], strict=True))
    assert first["Difference test+dev [95%]"] == "+1.5 [+0.5, +2.5]"
    assert first["WER dev %"] == "13.0 (12.0–14.2)"
    assert first["Changed in the file, test+dev"] == "0.5%"
    last = dict(zip(table.header, table.rows[-1], strict=True))
    assert (last["Difference test+dev [95%]"], last["Runs in"]) == ("–", "training only")


def test_a_table_for_each_other_group():
    (table,) = group_tables(saved(POOLED))
    assert table.title == "Group: two bits"
    assert [line[0] for line in table.rows] == ["w2a8-asym_native", "w2a8-b64_native"]
    lines = table.markdown().splitlines()
    assert lines[0] == "## Group: two bits"
    assert r"asymmetric \| per channel" in lines[4]
    assert len({line.replace(r"\|", "").count("|") for line in lines[2:]}) == 1


def test_the_csv_holds_every_figure():
    lines = list(csv.DictReader(io.StringIO(csv_text(POOLED))))
    assert len(lines) == len(POOLED)
    for line, row in zip(lines, POOLED, strict=True):
        assert line["name"] == row["name"]
        assert line["groups.0"] == row["groups"][0]
        assert float(line["wer.dev.max"]) == row["wer"]["dev"]["max"]
        assert line["bytes"] == ("" if row["bytes"] is None else str(row["bytes"]))
        bounds = [line["wer_diff_ci.0"], line["wer_diff_ci.1"]]
        assert [float(b) for b in bounds if b] == (row["wer_diff_ci"] or [])


def test_the_verdicts_are_of_what_the_device_runs():
    assert verdicts(saved(POOLED)) == [
        "w4a8_native, native QAT: 6.2x smaller, WER difference +0.2 [-0.4, +0.8] points: "
        "no measurable loss. The interval includes 0: this test set does not tell the two apart; "
        "a loss of up to 0.8 points is not ruled out. With speakers and seeds drawn: [-1.1, +0.8].",
        "w2a8_native, native QAT: 6.2x smaller, WER difference +7.0 [+5.0, +9.0] points: "
        "a measurable loss. The interval lies above 0: the loss is between 5.0 and 9.0 points. "
        "With speakers and seeds drawn: [+4.3, +9.0].",
        "w2a8-asym_native, native QAT: 6.2x smaller, WER difference +1.5 [+0.5, +2.5] points: "
        "a measurable loss. The interval lies above 0: the loss is between 0.5 and 2.5 points. "
        "With speakers and seeds drawn: [-0.2, +2.5], which includes 0.",
    ]


def test_a_verdict_needs_as_many_seeds_as_most_have():
    rows = [dict(row, seeds=[0, 1]) if row["name"] == "w2a8_native" else row for row in POOLED]
    rows[0] = dict(rows[0], seeds=[0, 1, 2, 3, 4], wer_diff_ci_speakers=None)  # of one speaker
    first, second = verdicts(saved(rows))
    assert first.endswith("points is not ruled out.")
    assert second.startswith("w2a8-asym_native")


def test_both_intervals_and_each_seed():
    table = difference_table(saved(POOLED))
    lines = {line[0]: line[1:] for line in table.rows}
    assert lines["w4a8_ptq"] == ["post-training", "+2.5 [+1.0, +4.0]", "[+0.3, +4.0]",
                                 "+1.0, +2.5, +4.0"]  # fmt: skip
    assert not {"float", "w2a8-b64_native"} & set(lines)  # nothing to compare with
    assert "Speakers: 2 in test, 1 in dev." in table.note
    alone = saved([dict(POOLED[0], wer_diff_ci_speakers=None)])
    for split in alone.results["corpus"]["splits"].values():
        split["speakers"] = ["", ""]
    table = difference_table(alone)
    assert table.rows[0][3] == "–"
    assert "names no speakers" in table.note


def test_a_mixture_beside_what_it_has_to_beat():
    uniform = {
        "name": "w4a8_native", "precision": "w4a8", "bytes": 1_180_000,
        "executed_on_device": True, "wer_diff": 0.001, "wer_diff_ci": [-0.01, 0.012],
        "wer_diff_ci_speakers": [-0.02, 0.022], "wer_diff_by_seed": [0.0, 0.002],
    }  # fmt: skip
    mixed = dict(POOLED[0], weights=None, precisions=["w4a8", "w2a8-clip"])
    rows = [*POOLED, dict(mixed, name="near", uniform=uniform), dict(mixed, name="alone")]
    assert mixture_table(saved(rows)).rows == [
        ["near", "1.17", "w4a8, w2a8-clip", "w4a8_native", "w4a8", "1.18", "+0.1 [-1.0, +1.2]",
         "[-2.0, +2.2]", "+0.0, +0.2"],
        ["alone", "1.17", "w4a8, w2a8-clip", "none of its size", *["–"] * 5],
    ]  # fmt: skip
    assert mixture_table(saved(POOLED)).rows == []


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return read_study(write_study(tmp_path_factory.mktemp("study")))


def test_the_mixtures_of_a_study(study):
    rivals = {row["name"]: row["uniform"] for row in study.pooled if row["weights"] is None}
    assert rivals["auto<5x>_native_s240"] is None
    assert rivals["auto<w4a8>_native_s240"]["name"] == "w4a8_native_s240"
    first, second = mixture_table(study).rows
    assert (first[3], second[3]) == ("none of its size", "w4a8_native_s240")
    assert second[2] == "w4a8, w8a8"


def test_every_cell_is_said_of_the_first_split(study):
    """One utterance of each split differs from Keras with seeds 1 and 2, and none with seed 0."""
    table = cells_table(study)
    assert table.title == "Every cell, on test"
    lines = [dict(zip(table.header, line, strict=True)) for line in table.rows]
    same = {line["Cell"]: line["Same text as Keras"] for line in lines}
    assert same["w4a8_native_s240_seed0"] == "100.0%"
    assert same["w4a8_native_s240_seed2"] == f"{1 - 1 / 24:.1%}"  # of 24, not of 24 + 16
    assert same["w32a8_native_s240_seed1"] == "–"
    bare = next(line for line in lines if line["Cell"] == "w32a8_native_s240_seed1")
    assert (bare["MB"], bare["Smaller"], bare["Runs in"]) == ("–", "–", "training only")
