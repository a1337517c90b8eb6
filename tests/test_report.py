"""Tables, plot and page from made-up results."""

import copy
import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from asr_qat.config import from_dict
from experiments.demo import demo_page
from experiments.demo.demo_rows import DemoResults, EqualityResults
from experiments.reports.wer_size_plot import plot_wer_against_size


def row(name, precision, method, size, wer, diff_ci):
    return {
        "name": name, "precision": precision, "widths": precision, "method": method,
        "utterances": 1300, "words": 9120,
        "bytes": size, "ratio": 7_227_424 / size,
        "wer": wer, "wer_ci": [wer - 0.012, wer + 0.013], "cer": wer / 3,
        "wer_diff": 0.0 if diff_ci is None else sum(diff_ci) / 2, "wer_diff_ci": diff_ci,
        "identical_hypotheses": 0.992, "max_logit_diff": 0.31, "median_logit_diff": 2.1e-6,
        "rtf": 0.021, "latency_ms": {"p50": 71.2, "p95": 160.8, "p99": 201.3},
        "threads": 1, "peak_rss_mb": 183.2,
    }  # fmt: skip


RESULTS = {
    "rows": [
        row("float32", "float", "float", 7_227_424, 0.113, None),
        row("int8 after training", "w8a8", "ptq", 2_089_400, 0.114, [-0.003, 0.005]),
        row("int4 after training", "w4a8", "ptq", 1_213_448, 0.129, [0.009, 0.023]),
        row("int4 tfmot fake QAT", "w4a8", "fake-qat", 1_213_460, 0.118, [-0.001, 0.011]),
        row("int4 native QAT", "w4a8", "native-qat", 1_213_448, 0.114, [-0.005, 0.007]),
    ],
    "corpus": {
        "name": "demo",
        "description": "read sentences & digits",
        "licence": "CC BY 4.0",
        "utterances": 1300,
        "words": 9120,
        "notice": "One speaker, and partly composed of single words: <not> a benchmark.",
    },
    "command": "tflite-export demo --data data/demo --seed 7 && echo $HOME",
    "commit": "6217521abcde",
    "versions": {"python": "3.11.9", "tensorflow": "2.17.1"},
    "hardware": {"cpu": "Some CPU @ 2.80GHz", "vnni": True, "cores": 2, "memory_gb": 7.7},
    "seed": 7,
    "training": {"start": "float32", "config": "demo.yaml", "steps": 500},
    "seconds": {"float training": 5400.0, "qat": 1260.0},
    "beside": [],
}
EQUALITY = {
    **{key: RESULTS[key] for key in ("command", "commit", "versions", "hardware", "seed")},
    "products": [
        {"layer": "block_00_ffn1_expand", "rows": 5230, "factor": 1.0, "max_error": 3.1e-7},
        {"layer": "block_00_attention_query", "rows": 5230, "factor": 1.0, "max_error": 2.2e-5},
    ],
    "bar": 1e-5,
    "model": {
        "utterances": 130,
        "identical": 129,
        "median_logit_diff": 2.1e-6,
        "max_logit_diff": 0.31,
        "rounding_floor": 1.9e-6,
        "different": [
            {
                "id": "utt-17",
                "reference": "ENTER SIX",
                "keras": "ENTER SIX",
                "tflite": "ENTER SICK",
                "frame": 31,
                "logits": {
                    "4": {"keras": 3.215, "tflite": 3.201},
                    "9": {"keras": 3.204, "tflite": 3.209},
                },
            }
        ],
    },
}


def typed(results) -> DemoResults:
    return from_dict(DemoResults, results, "results")


def answer(results) -> str:
    return demo_page.answer(typed(results))


def markdown_table(results) -> str:
    return demo_page.markdown_table(typed(results))


def html_report(results, equality, path) -> None:
    demo_page.html_report(typed(results), from_dict(EqualityResults, equality, "equality"), path)


def with_interval(low, high):
    results = copy.deepcopy(RESULTS)
    results["rows"][-1].update(wer_diff=(low + high) / 2, wer_diff_ci=[low, high])
    return results


@pytest.mark.parametrize(
    "interval, said",
    [
        (
            (-0.004, 0.006),
            "lossless within ±1.0 point of WER, difference to float32 +0.1 [-0.5, +0.7] points",
        ),
        (
            (0.0, 0.02),
            "not shown to be lossless within ±1.0 point of WER, difference to float32 +1.0 [-0.3,",
        ),
        ((0.004, 0.016), "worse, difference to float32 +1.0 [+0.2, +1.8] points"),
        ((-0.02, -0.01), "better, difference to float32 -1.5 [-2.1, -0.9] points"),
    ],
)
def test_the_answer_is_what_the_widened_interval_shows(interval, said):
    """Of four comparisons: 2.498 / 1.960 times as wide."""
    found = answer(with_interval(*interval))
    assert found.startswith(f"int4 native QAT: 6.0x smaller than float32 and {said}")
    assert found.endswith(" on 1,300 utterances.")


def test_the_answer_is_not_chosen_by_error_rate():
    results = copy.deepcopy(RESULTS)
    results["rows"][1]["wer"] = 0.01
    assert answer(results) == answer(RESULTS)
    results["rows"] = results["rows"][:3]
    assert answer(results).startswith("int4 after training: ")


def test_a_row_may_be_compared_with_another_than_the_first():
    results = copy.deepcopy(RESULTS)
    results["rows"][-1]["baseline"] = "float32 trained on"
    assert "difference to float32 trained on +0.1 [-0.7, +0.9] points" in answer(results)
    lines = markdown_table(results).splitlines()
    assert "| +0.1 [-0.7, +0.9] to float32 trained on | lossless |" in lines[-3]
    assert "| +0.1 [-0.4, +0.6] | lossless |" in lines[-6]


def test_more_comparisons_widen_the_interval():
    results = with_interval(-0.005, 0.0075)
    assert "and lossless" in answer(results)
    results["beside"] = [of_beside(results["rows"][1])] * 20
    assert "and not shown to be lossless" in answer(results)


def test_markdown_has_a_line_for_each_model():
    said, _, notice, blank, *lines, _, note = markdown_table(RESULTS).splitlines()
    assert said == f"**{answer(RESULTS)}**"
    assert (notice, blank) == (RESULTS["corpus"]["notice"], "")
    assert len(lines) == 2 + len(RESULTS["rows"])
    assert len({line.count("|") for line in lines}) == 1
    assert "| 11.3 [10.1, 12.6] | – | – |" in lines[2]
    assert "| 1.21 | 6.0x | 11.4 [10.2, 12.7] | +0.1 [-0.7, +0.9] | lossless |" in lines[-1]
    assert "all 4 comparisons are widened" in note


def of_beside(row):
    """A row whose comparison with a Keras model was never made."""
    absent = ("identical_hypotheses", "max_logit_diff", "median_logit_diff")
    return {key: value for key, value in row.items() if key not in absent}


def with_rows_beside():
    results = copy.deepcopy(RESULTS)
    results["beside"] = [
        of_beside(each)
        for each in (
            row("int4 native QAT, beam 8", "w4a8", "native-qat", 1_213_448, 0.111, [-0.008, 0.004]),
            row("CTC float32 | <other>", "float", "float", 6_100_000, 0.146, [0.021, 0.045]),
        )
    ]
    return results


def test_markdown_has_a_second_table_for_what_stands_beside():
    _, _, first, heading, second, note = markdown_table(with_rows_beside()).split("\n\n")
    assert first.splitlines()[0] in markdown_table(RESULTS)
    assert heading == "Beside it, on the same recordings:"
    assert "all 6 comparisons" in note
    names, line, beam, ctc = second.splitlines()
    assert names.startswith("| Model | Precision | MB | Smaller | WER % [95%] |")
    assert names.endswith("| CER % | RTF | Latency p50 / p95 / p99, ms |")
    assert names.count("|") == line.count("|") == beam.count("|")
    assert "| 6.0x | 11.1 [9.9, 12.4] | -0.2 [-1.0, +0.6] | not shown |" in beam
    assert ctc.startswith(r"| CTC float32 \| <other> | float | 6.10 | 1.2x | 14.6 ")
    assert " | worse | " in ctc
    assert ctc.endswith("| 0.021 | 71 / 161 / 201 |")


def test_the_plot_is_a_png(tmp_path):
    path = tmp_path / "plot.png"
    plot_wer_against_size(typed(RESULTS).rows, path)
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.width > 800


class Page(HTMLParser):
    """Collects tags and text, and the tags left open."""

    VOID = {"meta", "br", "img", "link"}

    def __init__(self, text):
        super().__init__()
        self.open, self.attributes, self.words = [], [], []
        self.feed(text)
        self.close()

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


@pytest.fixture
def page(tmp_path):
    html_report(RESULTS, EQUALITY, tmp_path / "report.html")
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_page_is_whole_and_loads_nothing(page):
    parsed = Page(page)
    assert parsed.open == []
    links = [v for k, v in parsed.attributes if k in ("src", "href", "xlink:href")]
    assert all(link.startswith(("#", "data:")) for link in links)
    assert "@import" not in page
    assert all(target.startswith("#") for target in re.findall(r"url\((.*?)\)", page))


def test_the_page_says_everything(page):
    words = " ".join(" ".join(Page(page).words).split())
    for expected in (
        answer(RESULTS),
        RESULTS["corpus"]["notice"],
        RESULTS["corpus"]["description"],
        RESULTS["command"],
        RESULTS["commit"],
        "1 of 2 quantized products are within 1e-05",
        "2.2e-05 (block_00_attention_query)",
        "129 of 130 hypotheses are identical",
        "ENTER SICK",
        "class 4: 3.215, 3.201",
        "tensorflow",
        "Some CPU",
        "21.0 min",
        "1.5 h",
    ):
        assert expected in words, expected


def test_every_table_can_be_sorted(page):
    tables = re.findall(r"<table.*?>", page)
    assert len(tables) == 4 and set(tables) == {'<table class="sortable">'}
    assert "title.ariaSort" in page and 'createElement("button")' in page


def test_values_are_escaped(tmp_path):
    results = copy.deepcopy(RESULTS)
    results["rows"][-1]["name"] = "<script>alert(1)</script>"
    html_report(results, EQUALITY, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert text.count("&lt;script&gt;alert") >= 3  # answer and both tables


def test_the_page_has_a_second_table_for_what_stands_beside(page, tmp_path):
    results = with_rows_beside()
    html_report(results, EQUALITY, tmp_path / "beside.html")
    text = (tmp_path / "beside.html").read_text(encoding="utf-8")
    parsed = Page(text)
    assert parsed.open == []
    heading = "Beside it, on the same recordings"
    assert heading not in page
    words = " ".join(" ".join(parsed.words).split())
    _, found = words.split(heading)
    table = found[: found.index("int4 native QAT, beam 8")]
    assert "Same text as Keras" not in table
    assert "Difference to float32, greedy [95%, widened]" in table
    for expected in ("11.1 [9.9, 12.4]", "+3.3 [+1.7, +4.9]", "CTC float32 | <other>", "1.2x"):
        assert expected in found, expected
    # What the page says first is not about them.
    assert answer(results).startswith("int4 native QAT: ")


def test_no_notice_without_reason(tmp_path):
    results = copy.deepcopy(RESULTS)
    results["corpus"]["notice"] = None
    equality = copy.deepcopy(EQUALITY)
    equality["model"]["different"] = []
    html_report(results, equality, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert 'class="notice"' not in text
    assert "No utterance has another hypothesis" in text
