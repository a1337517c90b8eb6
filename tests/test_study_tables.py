"""Tables, verdicts and answer of a study, from made-up rows of variants."""

import csv
import dataclasses
import io

import pytest

from asr_qat.provenance import Hardware
from experiments.study.saved_study import Saved, read_study
from experiments.study.study_page import answer, corpus_facts, figures_csv
from experiments.study.study_rows import (
    Changed,
    Corpus,
    Progress,
    Rival,
    SplitSize,
    Spread,
    StudySummary,
    VariantRow,
)
from experiments.study.study_tables import (
    cells_table,
    difference_table,
    grid_table,
    group_tables,
    mixture_table,
    two_bit_table,
    verdict_table,
)
from tests.study_fixtures import write_study


def pooled(name, method, weights, activations, wer, diff_ci=None, **other) -> VariantRow:
    rates = Spread(wer, wer - 0.01, wer + 0.012)
    values = {
        "name": name, "precision": name, "method": method, "groups": ("grid",),
        "weights": weights, "activations": activations, "scheme": "symmetric, per channel",
        "steps": 240, "seeds": (0, 1, 2), "bytes": 1_172_000, "ratio": 6.2,
        "executed_on_device": True, "wer": {"test": rates, "dev": rates},
        "keras_wer": {"test": rates, "dev": rates},
        "wer_diff": 0.0 if diff_ci is None else sum(diff_ci) / 2, "wer_diff_ci": diff_ci,
        "wer_diff_ci_speakers": None if diff_ci is None else (diff_ci[0] - 0.007, diff_ci[1]),
        "wer_diff_by_seed": diff_ci and (diff_ci[0], sum(diff_ci) / 2, diff_ci[1]),
        "changed_hypotheses": Changed(3, 600, 0.005), **other,
    }  # fmt: skip
    return VariantRow(**values)


def lines(table) -> list[list[str]]:
    """The texts of a table."""
    return table.frame.values.tolist()


def by_title(table, place: int) -> dict[str, str]:
    """The texts of a row by the titles of its columns."""
    return table.frame.iloc[place].to_dict()


POOLED = [
    pooled("w4a8_native", "native-qat", 4, "int8 dynamic", 0.121, (-0.004, 0.008)),
    pooled("float", "float", 32, "float", 0.115, bytes=7_268_000, ratio=1.0),
    pooled("w4a8_ptq", "ptq", 4, "int8 dynamic", 0.14, (0.01, 0.04)),
    pooled("w32a8_native", "native-qat", 32, "int8 dynamic", 0.116, (-0.002, 0.004),
           bytes=None, ratio=None, executed_on_device=False, seeds=(0, 1)),
    pooled("w2a8_native", "native-qat", 2, "int8 dynamic", 0.19, (0.05, 0.09)),
    pooled("w2a8-asym_native", "native-qat", 2, "int8 dynamic", 0.13, (0.005, 0.025),
           groups=("two bits",), scheme="asymmetric | per channel"),
    pooled("w2a8-b64_native", "native-qat", 2, "int8 dynamic", 0.13,
           groups=("two bits",), wer_diff=None, executed_on_device=False),
]  # fmt: skip


def saved(rows, speakers=(("ann", "bob", "", "ann"), ("cy",))) -> Saved:
    splits = {"test": SplitSize(130, 773, speakers[0]), "dev": SplitSize(79, 500, speakers[1])}
    summary = StudySummary(
        rows=(),
        pooled=tuple(rows),
        cells=Progress(9, 9),
        corpus=Corpus("made up", None, None, splits),
        command="",
        commit="",
        versions={},
        hardware=Hardware(cpu="", vnni=False, cores=2, memory_gb=8.0),
    )
    return Saved(summary, {})


def test_the_grid_has_a_line_for_each_pair_and_a_column_for_each_method():
    table = grid_table(saved(POOLED))
    assert list(table.frame.columns) == [
        "Weights", "Activations", "MB", "Smaller", "Runs in",
        "post-training: WER test %; difference, changed test+dev",
        "native QAT: WER test %; difference, changed test+dev", "Seeds",
    ]  # fmt: skip
    assert lines(table) == [
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
    longer = pooled("longer", "native-qat", 4, "int8 dynamic", 0.1, (-0.02, 0.01), steps=1500)
    longer = dataclasses.replace(longer, wer={"test": Spread(0.1, 0.1, 0.1)})
    (line,) = lines(grid_table(saved([POOLED[0], longer])))
    assert line[-2] == (
        "12.1 (11.1–13.3); +0.2 [-0.4, +0.8]; 0.5% changed; at 240 steps / "
        "10.0; -0.5 [-2.0, +1.0]; 0.5% changed; at 1,500 steps"
    )


def test_two_bits_of_all_groups_the_least_loss_first():
    table = two_bit_table(saved(POOLED))
    assert table.frame["Variant"].tolist() == [
        "w2a8-asym_native", "w2a8_native", "w2a8-b64_native",
    ]  # fmt: skip
    first = by_title(table, 0)
    assert first["Difference test+dev [95%, widened]"] == "+1.5 [+0.2, +2.8]"
    assert first["WER dev %"] == "13.0 (12.0–14.2)"
    assert first["Changed in the file, test+dev"] == "0.5%"
    last = by_title(table, -1)
    assert (last["Difference test+dev [95%, widened]"], last["Runs in"]) == ("–", "training only")


def test_a_table_for_each_other_group():
    (table,) = group_tables(saved(POOLED))
    assert table.title == "Group: two bits"
    assert table.frame["Variant"].tolist() == ["w2a8-asym_native", "w2a8-b64_native"]
    text = table.markdown().splitlines()
    assert text[0] == "## Group: two bits"
    assert r"asymmetric \| per channel" in text[4]
    assert len({line.replace(r"\|", "").count("|") for line in text[2:]}) == 1


def test_the_csv_holds_every_figure():
    found = list(csv.DictReader(io.StringIO(figures_csv(POOLED))))
    assert len(found) == len(POOLED)
    for line, row in zip(found, POOLED, strict=True):
        assert line["name"] == row.name
        assert line["groups.0"] == row.groups[0]
        assert float(line["wer.dev.max"]) == row.wer["dev"].max
        assert (float(line["bytes"]) if line["bytes"] else None) == row.bytes
        bounds = [line["wer_diff_ci.0"], line["wer_diff_ci.1"]]
        assert tuple(float(b) for b in bounds if b) == (row.wer_diff_ci or ())


def test_the_verdicts_go_by_intervals_that_hold_together():
    """Five comparisons: each half of an interval is 1.314 times as wide (2.576 / 1.960)."""
    table = verdict_table(saved(POOLED))
    assert table.frame["Variant"].tolist() == [  # by size, those without a file last
        "w4a8_native", "w4a8_ptq", "w2a8_native", "w2a8-asym_native", "w32a8_native",
    ]  # fmt: skip
    by_name = {line[0]: [line[3], line[1], line[-1]] for line in lines(table)}
    assert by_name == {
        "w4a8_native": ["+0.2 [-0.6, +1.0]", "lossless", "not shown"],
        "w4a8_ptq": ["+2.5 [+0.5, +4.5]", "worse", "not shown"],
        "w32a8_native": ["+0.1 [-0.3, +0.5]", "lossless", "not shown"],
        "w2a8_native": ["+7.0 [+4.4, +9.6]", "worse", "worse"],
        "w2a8-asym_native": ["+1.5 [+0.2, +2.8]", "worse", "not shown"],
    }
    assert "all 5 comparisons are widened" in table.note
    assert "within ±1.0 point of WER" in table.note
    alone = verdict_table(saved(POOLED[3:4]))
    assert lines(alone)[0][1:4] == ["lossless", "–", "+0.1 [-0.2, +0.4]"]
    assert lines(alone)[0][-1] == "lossless"
    assert "comparisons" not in alone.note


def test_a_single_speaker_gives_no_second_verdict():
    row = dataclasses.replace(POOLED[0], wer_diff_ci_speakers=None)
    assert lines(verdict_table(saved([row])))[0][-1] == "–"


def test_the_answer_is_the_smallest_file_that_is_lossless():
    assert answer(saved(POOLED)) == (
        "The smallest file that is lossless within ±1.0 point of WER is 6.2x smaller than float32: "
        "w4a8_native (native QAT, +0.2 [-0.6, +1.0] points)."
    )
    same = dataclasses.replace(POOLED[0], name="w4a8_fake", method="fake-qat", bytes=1_172_010)
    tiny = dataclasses.replace(POOLED[4], bytes=700_000)
    wide = pooled("w3", "native-qat", 3, "float", 0.12, (-0.02, 0.03), bytes=900_000)
    mixed = dataclasses.replace(POOLED[0], name="mixed", weights=None, bytes=500_000)
    found = answer(saved([POOLED[0], same, tiny, wide, mixed]))
    assert found.startswith("The smallest files that are lossless within ±1.0 point of WER are ")
    assert " and w4a8_fake (fake QAT, +0.2 [-0.6, +1.0] points); of 2 smaller: " in found
    assert found.endswith("1 worse, 1 not shown.")
    assert answer(saved(POOLED[2:])) == (
        "Of 3 files none is shown to be lossless within ±1.0 point of WER."
    )
    assert answer(saved(POOLED[1:2])) == "No file is compared with float32 yet."


def test_both_intervals_and_each_seed():
    table = difference_table(saved(POOLED))
    found = {line[0]: line[1:] for line in lines(table)}
    assert found["w4a8_ptq"] == ["post-training", "+2.5 [+1.0, +4.0]", "[+0.3, +4.0]",
                                 "+1.0, +2.5, +4.0"]  # fmt: skip
    assert not {"float", "w2a8-b64_native"} & set(found)  # nothing to compare with
    assert "Speakers: 2 in test, 1 in dev." in table.note
    alone = dataclasses.replace(POOLED[0], wer_diff_ci_speakers=None)
    table = difference_table(saved([alone], speakers=(("", ""), ("", ""))))
    assert lines(table)[0][3] == "–"
    assert "names no speakers" in table.note


def test_a_mixture_beside_what_it_has_to_beat():
    uniform = Rival(
        name="w4a8_native", precision="w4a8", bytes=1_180_000,
        wer_diff=0.001, wer_diff_ci=(-0.01, 0.012),
        wer_diff_ci_speakers=(-0.02, 0.022), wer_diff_by_seed=(0.0, 0.002),
    )  # fmt: skip
    mixed = dataclasses.replace(POOLED[0], weights=None, precisions=("w4a8", "w2a8-clip"))
    near = dataclasses.replace(mixed, name="near", uniform=uniform)
    alone = dataclasses.replace(mixed, name="alone")
    assert lines(mixture_table(saved([*POOLED, near, alone]))) == [
        ["near", "1.17", "w4a8, w2a8-clip", "w4a8_native", "w4a8", "1.18", "+0.1 [-1.0, +1.2]",
         "[-2.0, +2.2]", "+0.0, +0.2"],
        ["alone", "1.17", "w4a8, w2a8-clip", "none of its size", *["–"] * 5],
    ]  # fmt: skip
    assert mixture_table(saved(POOLED)).frame.empty


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return read_study(write_study(tmp_path_factory.mktemp("study")))


def test_the_mixtures_of_a_study(study):
    rivals = {row.name: row.uniform for row in study.variants if row.is_mixture}
    assert rivals["auto<5x>_native_s240"] is None
    assert rivals["auto<w4a8>_native_s240"].name == "w4a8_native_s240"
    first, second = lines(mixture_table(study))
    assert (first[3], second[3]) == ("none of its size", "w4a8_native_s240")
    assert second[2] == "w4a8, w8a8"


def test_every_cell_is_said_of_the_first_split(study):
    """One utterance of each split differs from Keras with seeds 1 and 2, and none with seed 0."""
    table = cells_table(study)
    assert table.title == "Every cell, on test"
    found = table.frame.to_dict("records")
    same = {line["Cell"]: line["Same text as Keras"] for line in found}
    assert same["w4a8_native_s240_seed0"] == "100.0%"
    assert same["w4a8_native_s240_seed2"] == f"{1 - 1 / 24:.1%}"  # of 24, not of 24 + 16
    assert same["w32a8_native_s240_seed1"] == "–"
    bare = next(line for line in found if line["Cell"] == "w32a8_native_s240_seed1")
    assert (bare["MB"], bare["Smaller"], bare["Runs in"]) == ("–", "–", "training only")


def test_a_normaliser_of_ones_own_is_named():
    plain = saved(POOLED)
    assert "Normaliser" not in corpus_facts(plain)
    corpus = dataclasses.replace(plain.summary.corpus, normalizer="lower")
    other = Saved(dataclasses.replace(plain.summary, corpus=corpus), {})
    assert corpus_facts(other)["Normaliser"] == "lower"
