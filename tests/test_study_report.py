"""Tables, plots and page of a study, from made-up results."""

import csv
import dataclasses
import io
import json
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from asr_qat.errors import UserError
from tests.study_fixtures import FLOAT, VARIANTS, Variant, write, write_study
from tflite_export.study.errors_moved import Moved, errors_moved, moved_table
from tflite_export.study.page import verdicts
from tflite_export.study.saved import Saved, read_study
from tflite_export.study.tables import (
    csv_text,
    grid_table,
    group_tables,
    two_bit_table,
)
from tflite_export.study.write_report import write_report

PLOTS = ("wer_size", "sensitivity", "weights_w4a8_native_s240_seed0", "errors_moved")


def pooled(name, method, weights, activations, wer, diff_ci=None, **other):
    rates = {"mean": wer, "min": wer - 0.01, "max": wer + 0.012}
    return {
        "name": name, "precision": name, "method": method, "groups": ["grid"],
        "weights": weights, "activations": activations, "scheme": "symmetric, per channel",
        "steps": 240, "seeds": [0, 1, 2], "bytes": 1_172_000, "ratio": 6.2,
        "executed_on_device": True, "wer": {"test": rates, "dev": rates},
        "wer_diff": 0.0 if diff_ci is None else sum(diff_ci) / 2, "wer_diff_ci": diff_ci,
        "changed_hypotheses": {"changed": 3, "of": 600, "share": 0.005}, "uniform": None, **other,
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
    splits = {"test": {"utterances": 130, "words": 773}, "dev": {"utterances": 79, "words": 500}}
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
        "no measurable loss",
        "w2a8_native, native QAT: 6.2x smaller, WER difference +7.0 [+5.0, +9.0] points: "
        "a measurable loss",
        "w2a8-asym_native, native QAT: 6.2x smaller, WER difference +1.5 [+0.5, +2.5] points: "
        "a measurable loss",
    ]


def test_words_lost_and_won():
    moved = Moved("some")
    moved.add(
        ["one two three", "four five", "six six", "seven"],
        ["one two free", "four five", "six", "seven"],
        ["one too three", "four five", "six six", "seven eight nine"],
    )
    assert moved.lost == {"two": 1}
    assert moved.won == {"three": 1, "six": 1}
    before, after = moved.kinds
    assert before == {"substitute": 1, "delete": 1}
    assert after == {"substitute": 1, "insert": 2}
    assert moved.utterances == {(1, 1): 1, (0, 0): 1, (1, 0): 1, (0, 2): 1}
    assert moved.words == 8


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def written(results):
    return write_report(results)


def test_errors_that_moved_add_up_to_the_difference(results):
    """Errors of reference words: lost minus won; the rest are words put in."""
    study = read_study(results)
    found = {moved.name: moved for moved in errors_moved(study)}
    assert list(found) == [variant.name for variant in VARIANTS]
    for row in study.pooled:
        moved = found[row["name"]]
        assert moved.pairs == len(row["seeds"])
        before, after = moved.kinds
        on_words = [k["substitute"] + k["delete"] for k in moved.kinds]
        assert on_words[1] - on_words[0] == moved.lost.total() - moved.won.total()
        expected = (after.total() - before.total()) / moved.words
        assert row["wer_diff"] == pytest.approx(expected)
        by_utterance = sum((b - a) * n for (a, b), n in moved.utterances.items())
        assert by_utterance == after.total() - before.total()
    assert found[FLOAT.name].lost.total() > 0  # another seed makes other errors


def test_the_table_of_moved_errors():
    moved = Moved("some | cell", pairs=2)
    moved.add(["one two"] * 4, ["one two"] * 4, ["one too"] * 3 + ["one two two"])
    (line,) = moved_table([moved]).rows
    assert line == ["some | cell", "2", "1.5", "0.0", "2.0", "75%", "0%", "25%", "two (3)", "–"]


def test_everything_is_written(results, written):
    folder = results.with_suffix("")
    assert set(written) == {
        results.with_suffix(".html"),
        results.with_suffix(".md"),
        folder / "pooled.csv",
        folder / "cells.csv",
        *(folder / f"{name}.png" for name in PLOTS),
    }
    cells = list(csv.DictReader(io.StringIO((folder / "cells.csv").read_text())))
    assert [cell["name"] for cell in cells] == [row["name"] for row in read_study(results).rows]


@pytest.mark.parametrize("name", PLOTS)
def test_the_plots_are_not_blank(name, results, written):
    with Image.open(results.with_suffix("") / f"{name}.png") as image:
        pixels = np.asarray(image.convert("L"), float)
    assert pixels.shape[1] > 800
    assert pixels.std() > 15
    inked = pixels < 200  # all over the picture, not in a corner of it
    for half in (
        inked[: len(inked) // 2],
        inked[len(inked) // 2 :],
        inked.T[: inked.shape[1] // 2],
    ):
        assert half.mean() > 0.004


class Page(HTMLParser):
    """Collects attributes and text, and checks that every element is closed."""

    VOID = {"meta", "br", "img", "link"}

    def __init__(self, text):
        super().__init__()
        self.open, self.attributes, self.words = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.attributes += attrs

    def handle_data(self, data):
        self.words.append(data)


def test_the_page_is_whole_and_loads_nothing(results, written):
    text = results.with_suffix(".html").read_text(encoding="utf-8")
    page = Page(text)
    links = [value for key, value in page.attributes if key in ("src", "href", "xlink:href")]
    assert links
    assert all(link.startswith(("#", "data:")) for link in links)
    targets = {value for key, value in page.attributes if key == "id"}
    assert {link[1:] for link in links if link[0] == "#"} <= targets
    assert "@import" not in text
    assert all(target.startswith("#") for target in re.findall(r"url\((.*?)\)", text))
    assert text.count("<svg") == len(PLOTS)


def test_the_page_names_everything(results, written):
    study = read_study(results)
    page = Page(results.with_suffix(".html").read_text(encoding="utf-8"))
    for expected in (
        *(row["name"] for row in [*study.rows, *study.pooled]),
        *verdicts(study),
        study.results["command"],  # with < and &
        study.results["commit"],
        study.results["corpus"]["description"],
        "24 utterances",
        "Some CPU",
        "2.17.1",
        "training only",
        "<B> (",  # a word of the corpus
    ):
        assert expected in page.text, expected
    assert "None" not in page.text
    assert "Not finished" not in page.text


def test_the_markdown_names_everything_and_its_pictures_are_there(results, written):
    study = read_study(results)
    text = results.with_suffix(".md").read_text(encoding="utf-8")
    for row in study.pooled:
        assert f"| {row['name']} |" in text
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", text)
    assert pictures == [f"study_made/{name}.png" for name in PLOTS]
    assert all((results.parent / picture).is_file() for picture in pictures)


def test_the_same_results_give_the_same_page(results, written, tmp_path):
    before = results.with_suffix(".html").read_bytes()
    write_report(results)
    assert results.with_suffix(".html").read_bytes() == before


def test_a_study_at_its_beginning(tmp_path):
    """One seed, a cell without baseline or file, and nothing of what may be missing."""
    few = (FLOAT, VARIANTS[1])
    results = write_study(tmp_path, few, seeds=(0,))
    content = json.loads(results.read_text())
    content["cells"]["planned"] = 9
    content["corpus"]["notice"] = "Only <a test> & more."
    lonely = dict(content["pooled"][1], name="lonely", executed_on_device=False, bytes=None)
    lonely |= {"wer_diff": None, "wer_diff_ci": None, "ratio": None, "groups": ["later"]}
    content["pooled"].append(lonely)
    write(results, content)
    for name in ("references", "sensitivity", "histograms"):
        (results.with_suffix("") / f"{name}.json").unlink()
    paths = write_report(results)
    assert [path.name for path in paths if path.suffix == ".png"] == ["wer_size.png"]
    text = results.with_suffix(".html").read_text(encoding="utf-8")
    page = Page(text)
    assert "Not finished: 2 of 9 cells so far." in page.text
    assert "Only <a test> & more." in page.text
    assert "lonely" in page.text
    assert text.count("<svg") == 1
    assert not math.isclose(content["pooled"][0]["wer"]["test"]["mean"], 0)


def test_one_seed_has_no_other_to_compare_with(tmp_path):
    study = read_study(write_study(tmp_path, VARIANTS[:3], seeds=(4,)))
    assert [moved.name for moved in errors_moved(study)] == [v.name for v in VARIANTS[1:3]]


def test_a_cell_that_is_missing_is_named(tmp_path):
    results = write_study(tmp_path, (FLOAT,))
    (results.with_suffix("") / "cells" / "float_s240_seed1.json").unlink()
    with pytest.raises(UserError, match="float_s240_seed1.json: no such file"):
        write_report(results)


def test_only_training_without_files_has_no_plot_of_sizes(tmp_path):
    bare = Variant("w32a8", "w32a8", "native-qat", 32, "int8 dynamic", 0.1, on_device=False)
    results = write_study(tmp_path, (dataclasses.replace(FLOAT, size=1), bare))
    content = json.loads(results.read_text())
    for row in content["pooled"]:
        row |= {"bytes": None, "ratio": None}
    write(results, content)
    assert "wer_size.png" not in {path.name for path in write_report(results)}
