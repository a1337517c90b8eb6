"""A live file in `tflite-export evaluate --streaming`, `transcribe` and `inspect`."""

import json

import jiwer
import numpy as np
import pytest

from asr_qat.audio.decode import read_audio
from asr_qat.audio.front_end import log_mel, normalize
from asr_qat.corpora.recordings import recordings
from asr_qat.corpora.utterance import Utterance
from tests.live_reference import TOKENIZER, offline_searches, reference_model
from tflite_export.runtime.live.whole_recording import recognise, transcribe
from tflite_export.score.live_evaluate import FIRST, SECOND, run_streamed, summarize_streamed

pytest_plugins = ["tests.live_file", "tests.export_fixtures"]


def expected(model, item: Utterance) -> tuple[str, str]:
    """Texts of both passes over the whole recording."""
    audio = read_audio(item.audio_path)
    mels = log_mel(audio, model.front_end)
    features = normalize(mels, model.front_end, model.mean, model.std)
    first, second = offline_searches(model, features)
    return TOKENIZER.decode(first.tokens), TOKENIZER.decode(second.tokens)


@pytest.mark.parametrize("chunk_ms", [60, 120, 480])
def test_both_passes_of_every_recording(manifest, chunk_ms):
    model, items = reference_model(1, 2, 1), recordings(manifest)
    result = run_streamed(model, items, chunk_ms, quiet=True)
    texts = [expected(model, item) for item in items]
    assert result.hypotheses == {FIRST: [a for a, _ in texts], SECOND: [b for _, b in texts]}
    assert result.hypotheses[FIRST] != result.hypotheses[SECOND]
    chunks = np.ceil(result.audio_seconds * 1000 / chunk_ms - 1e-9)
    assert len(result.chunk_seconds) == chunks.sum()
    for item, (_, text) in zip(items, texts, strict=True):
        audio = read_audio(item.audio_path)
        assert transcribe(model, audio) == text
        assert recognise(model, audio).frames == -(-(1 + (len(audio) - 400) // 160) // 4)


def test_figures_and_differences(manifest):
    items = recordings(manifest)
    result, other = (
        run_streamed(reference_model(0, 2, seed), items, 120, quiet=True) for seed in (1, 2)
    )
    found = summarize_streamed(result, items, 120, 1, other)
    references = [item.text for item in items]
    for name in (FIRST, SECOND):
        row = getattr(found, name)
        wer = jiwer.wer(references, result.hypotheses[name])
        assert row.wer == pytest.approx(wer)
        assert row.wer_diff == pytest.approx(wer - jiwer.wer(references, other.hypotheses[name]))
        assert row.wer_diff_ci[0] <= row.wer_diff <= row.wer_diff_ci[1]
    seconds = result.chunk_seconds.sum() + result.finish_seconds.sum()
    assert found.rtf == pytest.approx(seconds / result.audio_seconds.sum())
    assert found.late_chunks == (result.chunk_seconds > 0.12).sum()
    alone = summarize_streamed(result, items, 120, 1)
    assert alone.first.wer_diff_ci is None


@pytest.mark.slow
def test_the_command(tflite_export, live_file, live_model, manifest, tmp_path):
    written = tmp_path / "hypotheses.jsonl"
    words = ("evaluate", live_file, "--data", manifest, "--hypotheses", written, "--streaming")
    code, out, _ = tflite_export(*words, "--baseline", live_file, "--json")
    assert code == 0
    found = json.loads(out)
    items = recordings(manifest)
    result = run_streamed(live_model, items, 120, quiet=True)
    for name in (FIRST, SECOND):
        lines = (tmp_path / f"hypotheses.{name}.jsonl").read_text().splitlines()
        assert [json.loads(line)["hypothesis"] for line in lines] == result.hypotheses[name]
        assert (found[name]["wer_diff"], found[name]["wer_diff_ci"]) == (0, [0, 0])
    assert (found["ratio"], found["look_ahead_ms"], found["delay_ms"]) == (1, 40, 120)
    assert 20 < found["peak_rss_mb"] < 1000 and 0 < found["rtf"] < 1
    code, out, _ = tflite_export(*words, "--chunk-ms", 240, "--quiet")
    assert code == 0 and "chunks of 240 ms" in out and "first pass, delay 40 ms: WER" in out


@pytest.mark.slow
def test_commands_on_a_live_file(tflite_export, live_file, live_model, manifest, exported):
    audio = recordings(manifest)[0].audio_path
    code, out, _ = tflite_export("transcribe", live_file, audio)
    assert (code, out) == (0, f"{transcribe(live_model, read_audio(audio))}\n")
    code, _, err = tflite_export("transcribe", live_file, audio, "--beam", 4)
    assert code and "a live model searches greedily: omit --beam" in err
    code, _, err = tflite_export("evaluate", live_file, "--data", manifest)
    assert code and err.endswith("live.tflite: a live model: add --streaming\n")
    code, _, err = tflite_export("evaluate", exported("float"), "--data", manifest, "--streaming")
    assert code and "not the file of a live model" in err
    offline = ("evaluate", exported("float"), "--data", manifest, "--chunk-ms", 60)
    code, _, err = tflite_export(*offline)
    assert code and err.endswith("--chunk-ms: for live models only: add --streaming\n")
    assert tflite_export("inspect", live_file)[0] == 0
