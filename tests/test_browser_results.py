"""What is counted of a browser beside Python, and the page of it."""

import dataclasses

import pytest

from asr_qat.corpora.utterance import Utterance
from asr_qat.errors import UserError
from asr_qat.provenance import Provenance
from experiments.browser import chromium, measure
from experiments.browser.modules import Found
from experiments.browser.rows import BrowserResults, DownloadRow, SpeedRow, WebGpuRow
from experiments.browser.table import browser_table
from tests.live_reference import TOKENIZER, reference_model
from tflite_export.browser.page import Page

ONE = Found(first=[(3, 1)], second=[(3, 2), (4, 5)], shown=[{"type": "final"}], piece_ms=[1.0, 2.0])
SPEED = SpeedRow(
    threads=1,
    load_ms=900.0,
    median_ms=3.0,
    p95_ms=12.0,
    worst_ms=30.0,
    wasm_mb=17.6,
    javascript_mb=20.0,
    before_mb=160.0,
    peak_mb=265.0,
)


def agreement(*found):
    items = [Utterance(str(i), "none.wav", "A", "s") for i, _ in enumerate(found)]
    return measure._agreement(reference_model(), items, [ONE] * len(found), found)


def test_what_counts_as_the_same():
    """Another frame is another label, and another transcript on the way; not another text."""
    later = dataclasses.replace(ONE, second=[(3, 2), (4, 6)])
    other = dataclasses.replace(ONE, first=[(5, 1)], second=[(3, 2), (5, 5)], shown=[])
    counts = agreement(ONE, later, other)
    differences = counts.pop("differences")
    assert counts == {"first": 2, "second": 1, "shown": 2, "texts": 2}
    assert [(each.id, each.passes) for each in differences] == [
        ("1", "second"),
        ("2", "first, second"),
    ]
    assert differences[1].browser == TOKENIZER.decode([3, 5]) != differences[1].python


def test_the_page_of_it(tmp_path):
    (tmp_path / "model.tflite").write_bytes(bytes(1000))
    page = Page(
        tmp_path, {"model.tflite": 1000, "litertjs/wasm/litert_wasm_compat_internal.js": 9}, False
    )
    model, runtime, own = measure.downloads(page)
    assert (model.bytes, runtime.bytes, own.bytes) == (1000, 0, 0) and model.gzip_bytes < 1000
    found = BrowserResults(
        **vars(Provenance.of_this_run()),
        file="live.tflite",
        method="ptq",
        widths="mixed_4_8",
        data="an4 (test)",
        browser="Chrome/1",
        litertjs="2.5.3",
        piece_ms=120,
        utterances=3,
        audio_s=9.0,
        floor=1,
        feature_error=1e-5,
        speed=(SPEED,),
        python_median_ms=1.0,
        download=(DownloadRow(part="model", bytes=1_000_000, gzip_bytes=900_000),),
        webgpu=(
            WebGpuRow(file="live.tflite", adapter="a b", errors={"positions": 0.5}),
            WebGpuRow(file="other.tflite", adapter=None, errors={}),
        ),
        **agreement(ONE, ONE, dataclasses.replace(ONE, second=[])),
    ).with_targets()
    met = {row.name: row.met for row in found.targets if row.met is not None}
    assert list(met.values()) == [False, True, True, False]
    text = browser_table(found)
    assert text.startswith("**2 of 4 targets met.** live.tflite (ptq, mixed_4_8) in Chrome/1 ")
    assert "| 2 | second |" in text and "| 1 | 900 | 3.00 |" in text
    assert "| live.tflite | a b | positions | 50 |" in text and "other.tflite" not in text


def test_no_browser(monkeypatch, tmp_path):
    monkeypatch.setattr(chromium.shutil, "which", lambda name: None)
    with pytest.raises(UserError, match="no chromium on this machine: apt install chromium"):
        with chromium.browser(tmp_path):
            pass
