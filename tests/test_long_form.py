"""What is measured of long recordings, times and language models."""

import dataclasses

import numpy as np
import pytest

from asr_qat import files
from asr_qat.provenance import provenance
from experiments.long_form import __main__ as command
from experiments.long_form.hour import edits_at_cuts
from experiments.long_form.rows import HourRow, LongFormResults, SearchRow, TimesRow
from experiments.long_form.table import long_form_table
from experiments.long_form.times import auc, calibration_error, middle_mean, paired
from experiments.results.kinds import render
from tests.tones_fixtures import tones_file
from tflite_export.runtime.transcription import TimedWord


def test_edits_at_cuts():
    alone = "A B C D E F".split()
    assert edits_at_cuts(alone, [["A", "B"], ["C", "D", "E", "F"]]) == (0, 0, 0)
    assert edits_at_cuts(alone, [["A", "B"], ["D", "E", "F"]]) == (1, 1, 0)
    assert edits_at_cuts(alone, [["A", "B", "C"], ["C", "D", "E", "F"]]) == (1, 0, 1)
    assert edits_at_cuts(alone, [["A", "C", "D"], ["E", "F"]]) == (1, 0, 0)
    assert edits_at_cuts(alone, [["A", "B", "B", "C", "D"], ["E", "F"]]) == (1, 0, 0)
    assert edits_at_cuts(alone, []) == (6, 6, 0)


def word(text, start_s=0.0):
    return TimedWord(text, start_s, start_s + 0.1, 0.5)


def test_words_are_paired_with_those_that_were_spoken():
    spoken = [word("A", 1.0), word("B", 2.0), word("C", 3.0)]
    found = [word("A", 1.1), word("X", 2.0), word("C", 3.1), word("C", 4.0)]
    pairs = paired(spoken, found)
    assert [other.start_s for _, other in pairs] == [1.1, 2.0, 3.1, 4.0]
    assert sum(one is None for one, _ in pairs) == 2
    assert pairs[0][0] is spoken[0] and pairs[1][0] is None


def test_confidences():
    right = np.array([True, True, False])
    assert auc(np.array([0.9, 0.5, 0.5]), right) == pytest.approx(0.75)
    assert auc(np.array([0.9]), right[:1]) == 1.0
    assert calibration_error(np.array([0.95, 0.95, 0.25]), right) == pytest.approx(0.35 / 3)
    assert middle_mean(np.array([-1000.0, 1.0, 2.0, 3.0, 5000.0])) == 2.0


def test_targets_and_table(tmp_path):
    hour = HourRow("m", 3600.0, 900, 300.0, 0.01, 400, 5000, 7, 1, 0)
    times = TimesRow("m", "CTC", 0.0, 600, (10.0, 90.0), (20.0, 130.0), 110.0, 0.9, 0.03)
    rows = [("greedy", 0, 0.01), ("beam", 8, 0.015), ("beam, language model", 8, 0.025)]
    searches = tuple(
        SearchRow("m", "CTC", name, beam, 0.2, 1.0, 0.1, rtf) for name, beam, rtf in rows
    )
    found = LongFormResults(
        **provenance(), data="an4 (test)", hours=(hour,), times=(times,), searches=searches
    ).with_targets()
    assert [row.met for row in found.targets] == [True, True, False, True, True, True, False, True]
    page = long_form_table(found)
    assert page.startswith("**6 of 8 targets met.**") and "| m | CTC | 600 | 0 | 10, 90 |" in page
    files.write_json(tmp_path / "long_form.json", dataclasses.asdict(found))
    (made,) = render(tmp_path / "long_form.json").values()
    assert made.decode() == page


@pytest.mark.slow
def test_the_command(prepared_folder, tmp_path, monkeypatch):
    """Everything once, on tones."""
    out = tmp_path / "long_form.json"
    words = [str(tones_file("ctc")), str(tones_file("transducer")), "--out", str(out)]
    words += ["--align", str(tones_file("ctc")), "--data", str(prepared_folder)]
    words += ["--seconds", "20", "--limit", "3", "--work", str(tmp_path / "work")]
    monkeypatch.setattr("sys.argv", ["long_form", *words])
    command._run()
    found = files.read_json(out)
    assert [row["name"] for row in found["hours"]] == ["tones_ctc", "tones_transducer"]
    assert all(row["seconds"] == pytest.approx(20) and row["words"] for row in found["hours"])
    assert len(found["times"]) == 2 and len(found["searches"]) == 6
    assert out.with_suffix(".md").read_text().count("## ") == 4
    before = found["times"]
    monkeypatch.setattr("sys.argv", ["long_form", *words, "--only", "hours"])
    command._run()
    assert files.read_json(out)["times"] == before
