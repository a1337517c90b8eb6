"""The demo's files in noise: rows, targets and the page."""

import dataclasses
import shutil

import numpy as np
import pytest
import soundfile

from asr_qat.corpora.conditions import Condition, under
from asr_qat.corpora.noises import noise_named
from asr_qat.corpora.utterance import Utterance
from asr_qat.errors import UserError
from asr_qat.provenance import provenance
from experiments.demo.demo import FIRST, LONGER, TRAINED
from experiments.noise.measure import NOISES, SNR_DB, files_of_demo, live_files, measure
from experiments.noise.rows import NoiseResults, NoiseRow
from experiments.noise.table import noise_table
from tests.conftest import SAMPLE_RATE, utterance
from tests.tones_fixtures import tones_file
from tflite_export.runtime.transcriber import load
from tflite_export.score.statistics import word_errors


@pytest.fixture
def items(tmp_path):
    found = []
    for number in range(8):
        words = ["TWO", "FIVE"][: 1 + number % 2]
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, utterance(words, number), SAMPLE_RATE)
        found.append(Utterance(path.stem, path, " ".join(words), f"speaker{number}"))
    return found


def test_rows_are_of_all_draws_together(items, tmp_path):
    with pytest.raises(UserError, match="float32.tflite: no such file: run `tflite-export demo`"):
        files_of_demo(tmp_path)
    for variant in (FIRST, LONGER, TRAINED):
        shutil.copy(tones_file("ctc"), tmp_path / variant.file)
    rows = measure(files_of_demo(tmp_path), items, draws=2, quiet=True)
    assert len(rows) == 3 * (1 + len(SNR_DB) * (len(NOISES) + 1))
    assert {row.kind for row in rows} == {"CTC"}
    of = {(row.file, row.noise, row.snr_db): row for row in rows}
    assert of["float32", "clean", None].wer == 0
    model, expected = load(tones_file("ctc")), []
    for seed in (0, 1):
        heard = under(Condition(noise_named("pink", items), 20.0, seed=seed), items)
        texts = [model.transcribe(each.read(SAMPLE_RATE)) for each in heard]
        expected.append(word_errors([each.text for each in items], texts).rate)
    assert of["float32", "pink", 20.0].wer == pytest.approx(np.mean(expected))
    assert expected[0] > 0
    noises = [of["float32", noise, 5.0].wer for noise in NOISES]
    assert of["float32", "all", 5.0].wer == pytest.approx(np.mean(noises))
    for row in rows:  # all files are the same
        same = (row.wer_diff, row.wer_diff_ci) == (0, (0, 0))
        assert same if row.baseline else row.wer_diff is None
        assert row.baseline == {"int4 native QAT": LONGER.name, LONGER.name: "float32"}.get(
            row.file
        )


def test_both_passes_of_a_live_model(items, monkeypatch):
    monkeypatch.setattr("experiments.noise.measure.NOISES", ("white",))
    monkeypatch.setattr("experiments.noise.measure.SNR_DB", (10.0,))
    live = tones_file("live")
    rows = measure(live_files(live, live), items[:2], draws=1, quiet=True)
    kinds = ["live, first pass"] * 6 + ["live, second pass"] * 6
    assert [row.kind for row in rows] == kinds
    assert [row.baseline for row in rows] == [None, "float32"] * 6
    assert [row.wer_diff for row in rows] == [None, 0] * 6
    assert rows[6].wer == 0
    with pytest.raises(UserError, match="a live model and others in one comparison"):
        measure(live_files(live, tones_file("ctc")), items[:2], draws=1)


def test_files_of_other_names_have_a_table_of_their_own():
    def row(kind, file, baseline=None):
        difference = None if baseline is None else 0.0
        ci = None if baseline is None else (0.0, 0.0)
        return NoiseRow(kind, file, "clean", None, 0.2, (0.1, 0.3), baseline, difference, ci)

    rows = (row("CTC", "a"), row("CTC", "b", "a"), row("CTC", "q", "b"), row("live", "a"))
    some = {"data": "an4 (test)", "utterances": 1, "words": 2, "draws": 1, "trained": "none"}
    page = noise_table(NoiseResults(**provenance(0), **some, rows=(*rows, row("live", "q", "a"))))
    heads = [line for line in page.splitlines() if line.startswith("| Model")]
    assert heads == [
        "| Model | Condition | a, WER % [95%] | b, WER % [95%] | to a | q, WER % [95%] | to b |",
        "| Model | Condition | a, WER % [95%] | q, WER % [95%] | to a |",
    ]


def test_targets_and_page():
    def row(file, noise, snr_db, difference=None, baseline=None):
        ci = difference and (difference - 0.01, difference + 0.01)
        return NoiseRow("CTC", file, noise, snr_db, 0.2, (0.1, 0.3), baseline, difference, ci)

    rows = [
        made
        for noise, snr_db, difference in (
            ("clean", None, 0.02),
            ("all", 20.0, 0.02),
            ("white", 10.0, 0.02),
            ("all", 10.0, 0.005),
        )
        for made in (row("a", noise, snr_db), row("q", noise, snr_db, difference, "a"))
    ]
    found = NoiseResults(
        **provenance(0),
        **{"data": "an4 (test)", "utterances": 130, "words": 773, "draws": 1, "trained": "q"},
        rows=tuple(rows),
    ).with_targets()
    met = {target.name.removeprefix("CTC, q, "): target.met for target in found.targets}
    assert met == {
        "clean: lower end of the difference, points": None,
        "clean: upper end of the difference, points": None,
        "white 10 dB: lower end of the difference, points": False,
        "all noises 10 dB: lower end of the difference, points": True,
        "all noises 10 dB: upper end of the difference, points": None,
    }
    page = noise_table(found)
    assert page.startswith("**1 of 2 targets met.** an4 (test), 130 recordings, 773 words; 1 draw ")
    assert "| Model | Condition | a, WER % [95%] | q, WER % [95%] | to a |" in page
    assert (
        "| CTC | white 10 dB | 20.0 [10.0, 30.0] | 20.0 [10.0, 30.0] | +2.0 [+1.0, +3.0] |" in page
    )
    assert found == dataclasses.replace(found).with_targets()
