"""What `python -m experiments.threads` measures."""

import dataclasses
import json

from asr_qat.provenance import Provenance
from experiments.results.kinds import render
from experiments.threads.calls import thread_rows
from experiments.threads.loading import load_row
from experiments.threads.rows import ThreadsResults
from tests.conftest import utterance
from tests.tones_fixtures import tones_file
from tflite_export.runtime.transcriber import Transcriber


def test_calls_and_loads(monkeypatch, tmp_path):
    recordings = [utterance([word], 0) for word in ("ONE", "TWO", "THREE")]
    rows = thread_rows(tones_file("ctc"), recordings, 24, [(4, 1), (4, 2)])
    assert [(row.threads, row.parallel, row.calls, row.wrong) for row in rows] == [
        (1, 1, 24, 0),
        (4, 1, 24, 0),
        (4, 2, 24, 0),
    ]
    assert rows[0].over_one_thread == 1.0 and all(row.calls_per_s > 0 for row in rows)
    load = load_row(tones_file("ctc"), 60, 1, tmp_path)
    assert abs(load.mb - 60) < 0.1 and load.checksum_ms > 0
    assert not list(tmp_path.glob("*.tflite"))
    found = ThreadsResults(
        **vars(Provenance.of_this_run()),
        data="tones",
        recordings=3,
        audio_seconds=0.4,
        rows=tuple(rows),
        loads=(load,),
    ).with_targets()
    assert [row.target for row in found.targets] == [0, None, 0, None, 60.0]
    path = tmp_path / "threads.json"
    path.write_text(json.dumps(dataclasses.asdict(found)))
    ((_, page),) = render(path).items()
    assert "0 of 48 texts are wrong" in page.decode()


def test_wrong_texts_are_counted(monkeypatch):
    texts = iter(["A", "B", "A", "X", "A", "B"])  # two that are right first
    monkeypatch.setattr(Transcriber, "transcribe", lambda self, audio: next(texts))
    (row,) = thread_rows(tones_file("ctc"), [utterance(["ONE"], 0)] * 2, 4, [])
    assert row.wrong == 1
