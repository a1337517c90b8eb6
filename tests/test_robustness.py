"""Files on quieter and louder recordings, and on an offset."""

import dataclasses

import numpy as np
import pytest

from asr_qat.corpora.utterance import Utterance
from asr_qat.provenance import provenance
from experiments.robustness import measure as robustness
from experiments.robustness.rows import ChangedRow, ModelRow, RobustnessResults
from experiments.robustness.table import robustness_table


class Hears:
    """A recogniser whose text is the level and the offset that it hears."""

    sample_rate = 16000

    def __init__(self, deaf: bool):
        self.deaf = deaf
        self.recogniser = self
        self.metadata = self
        self.live, self.steps, self.precision = False, None, "float"

    def transcribe(self, audio):
        quiet, offset = np.ptp(audio) < 0.1, abs(audio.mean()) > 0.03
        loud = (audio[:80] == 1).all() and audio[80] < 1
        return "ONE" if self.deaf or not (quiet or offset or loud) else "TWO"


@pytest.fixture
def rows(monkeypatch, tmp_path):
    audio = 0.3 * np.sin(np.arange(8000) * 0.1, dtype=np.float32)
    monkeypatch.setattr(robustness, "read_audio", lambda path, rate: audio)
    items = [Utterance(str(i), tmp_path / "a.wav", "ONE", "") for i in range(3)]

    def measured(deaf):
        monkeypatch.setattr(robustness, "load", lambda path: Hears(deaf))
        return robustness.measure(tmp_path / "model.tflite", items, quiet=True)

    return measured


def test_what_a_model_hears_of_level_and_offset_is_its_error(rows):
    found = rows(deaf=False)
    assert (found.wer, found.kind, found.words) == (0.0, "CTC", 3)
    wrong = {(row.gain_db, row.offset) for row in found.changed if row.wer == 1.0}
    assert wrong == {(-30.0, 0.0), (-20.0, 0.0), (0.0, 0.05), (0.0, 0.1), (-30.0, 0.1)}
    assert all(row.texts_changed == (3 if row.wer else 0) for row in found.changed)
    assert found.worst_points == 100
    assert found.clicked.texts_changed == 3  # it is loud
    assert rows(deaf=True).worst_points == 0 == rows(deaf=True).clicked.wer


def test_targets_and_table():
    row = ChangedRow(-30.0, 0.1, 0.121, 1)
    model = ModelRow("m", "live", "w4a8", 130, 773, 0.116, (0.1, 0.13), (row,))
    found = RobustnessResults(**provenance(), data="an4 (test)", models=(model,)).with_targets()
    assert [target.met for target in found.targets] == [True]
    assert "click" not in robustness_table(found)  # of an earlier measurement
    clicked = dataclasses.replace(model, clicked=ChangedRow(0.0, 0.0, 0.2, 9))
    found = dataclasses.replace(found, models=(clicked,)).with_targets()
    assert [target.met for target in found.targets] == [True]
    page = robustness_table(found)
    assert "-30 dB, +0.1 | click |" in page and " | 12.1 | 20.0 |" in page
    assert "| m | live | w4a8 | 11.6 [10.0, 13.0] | 12.1 |" in page
