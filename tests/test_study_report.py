"""Plots and page of a study, from made-up results."""

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
from experiments.study import size_plot
from experiments.study.moved_errors import Moved, errors_moved, moved_table
from experiments.study.saved_study import read_study
from experiments.study.study_page import answer, write_report
from tests.study_fixtures import FLOAT, VARIANTS, write, write_study

PLOTS = ("overview", "wer_size", "sensitivity", "weights_w4a8_native_s240_seed0", "errors_moved")


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
    for row in study.variants:
        moved = found[row.name]
        assert moved.pairs == len(row.seeds)
        before, after = moved.kinds
        on_words = [k["substitute"] + k["delete"] for k in moved.kinds]
        assert on_words[1] - on_words[0] == moved.lost.total() - moved.won.total()
        expected = (after.total() - before.total()) / moved.words
        assert row.wer_diff == pytest.approx(expected)
        by_utterance = sum((b - a) * n for (a, b), n in moved.utterances.items())
        assert by_utterance == after.total() - before.total()
    assert found[FLOAT.name].lost.total() > 0  # another seed makes other errors


def test_the_table_of_moved_errors():
    moved = Moved("some | cell", pairs=2)
    moved.add(["one two"] * 4, ["one two"] * 4, ["one too"] * 3 + ["one two two"])
    (line,) = moved_table([moved]).frame.values.tolist()
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
    assert [cell["name"] for cell in cells] == [row.name for row in read_study(results).rows]
    for cell in cells:
        has_file = cell["executed_on_device"] == "True"
        assert bool(cell["bytes"]) == bool(cell["ratio"]) == has_file


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
        *(row.name for row in [*study.rows, *study.variants]),
        answer(study),
        study.summary.command,  # with < and &
        study.summary.commit,
        "aaaaaaaaaaaa (20 cells), bbbbbbbbbbbb-dirty (10 cells)",  # seeds 0 and 2, seed 1
        "Speakers: 4 in test, 4 in dev.",
        "none of its size",
        study.summary.corpus.description,
        "24 utterances",
        "CPU & 0, CPU & 1",
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
    for row in study.variants:
        assert f"| {row.name} |" in text
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
    assert [path.name for path in paths if path.suffix == ".png"] == [
        "overview.png",
        "wer_size.png",
    ]
    text = results.with_suffix(".html").read_text(encoding="utf-8")
    page = Page(text)
    assert "Not finished: 2 of 9 cells so far." in page.text
    assert "Only <a test> & more." in page.text
    assert "lonely" in page.text
    assert text.count("<svg") == 2
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
    bare = [dataclasses.replace(variant, on_device=False) for variant in VARIANTS[3:5]]
    results = write_study(tmp_path, bare)
    assert "wer_size.png" not in {path.name for path in write_report(results)}


def test_the_plot_of_sizes_shows_files_alone(results):
    """Bare weights of training only are no file, and a tick is at the size of the float file."""
    study = read_study(results)
    bare = next(variant for variant in VARIANTS if not variant.on_device)
    assert all(cell.bytes for cell in study.cells.values())
    figure = size_plot.size_figure(study)
    shown = next(axes for axes in figure.axes if "int8 dynamic" in axes.get_title())
    others = [v for v in VARIANTS if v.activations == "int8 dynamic" and v is not bare]
    points = [line for line in shown.lines if line.get_marker() not in ("None", "")]
    assert len(points) == len(others) + 1  # and float
    ticks = figure.axes[0].xaxis.get_major_locator().locs
    assert max(ticks) == pytest.approx(FLOAT.size / 1e6)


def test_letters_of_one_size_do_not_overlap(results):
    study = read_study(results)
    figure = size_plot.size_figure(study)
    figure.canvas.draw()
    for axes in figure.axes:
        boxes = [text.get_window_extent() for text in axes.texts]
        for place, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[place + 1 :])
