"""When words are there: forced alignment, chunks in which words appear, long streams."""

import itertools
import json

import numpy as np
import pytest

from asr_qat.audio.decode import read_audio
from asr_qat.audio.front_end import FrontEndConfig
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.corpora.recordings import recordings
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.model_config import ModelConfig
from asr_qat.models.model_directory import Recogniser
from experiments.live.alignment import WordEnds, speech_end
from experiments.live.latency import Appearances, appearances, delays, latency
from experiments.live.latency_rows import WordDelays
from experiments.live.long_recording import _edits, _edits_at_joins, _middles, _stream
from experiments.live.recordings import cut, joined, room_noise
from tests.live_reference import reference_model, speech
from tflite_export.runtime.live.endpoint import EndpointConfig
from tflite_export.runtime.live.events import Transcript
from tflite_export.runtime.live.session import Session

pytest_plugins = ["tests.live_file", "tests.export_fixtures"]

RULE = EndpointConfig(pause_s=0.3)
RATE = 16000


def test_words_end_with_their_last_label(prepared_folder):
    folder = PreparedFolder(prepared_folder)
    encoder = EncoderConfig(1, dim=16, heads=2, feed_forward=24, kernel=4, subsampling=8)
    made = Recogniser.create(
        ModelConfig(encoder), folder.tokenizer, folder.stats.mean, folder.stats.std
    )
    ends = WordEnds(made)
    found = ends(speech(3.0, 1), "ONE TWO")
    assert len(found) == 2 and 0 < found[0] < found[1] <= 3.04
    assert (found[1] - 0.0325) / 0.04 == pytest.approx(round((found[1] - 0.0325) / 0.04))
    assert ends.frame_ms == 40


def test_the_end_of_sound():
    rng = np.random.default_rng(0)
    audio = 0.001 * rng.standard_normal(2 * RATE)
    audio[8000:20000] += 0.2 * rng.standard_normal(12000)
    assert speech_end(audio, FrontEndConfig()) == pytest.approx(1.25, abs=0.011)


def test_delays_of_words_that_were_recognised():
    spoken = [("ONE", 1.0), ("TWO", 2.0), ("THREE", 3.0)]
    found = [("ONE", 1.3), ("FOUR", 2.5), ("THREE", 2.9), ("FIVE", 4.0)]
    assert delays(spoken, found) == pytest.approx({0: 0.3, 2: -0.1})
    assert delays(spoken, []) == {}


@pytest.mark.parametrize("chunk", [960, 1920, 7680])
def test_a_word_is_there_with_its_last_label(chunk):
    model = reference_model(1, 2, 1)
    audio = speech(4.0, 1)
    found = appearances(model, audio, chunk, RULE)
    session, finals, firsts = Session(model, RULE), [], []
    for at in range(0, len(audio), chunk):
        offset = session.offset
        events = session.accept(audio[at : at + chunk])
        finals += [e for e in events if isinstance(e, Transcript) and e.kind == "final"]
        if session.offset != offset:
            firsts.append((offset, session.ended.first.emissions))
    offset = session.offset
    finals += [e for e in session.finish() if isinstance(e, Transcript)]
    firsts.append((offset, session.ended.first.emissions))
    words = [word for event in finals for word in event.words]
    assert [text for text, _ in found.second] == [word.text for word in words]
    assert [text for text, _ in found.announced] == [word.text for word in words]
    assert len(finals) > 1 and len(found.first) > 1
    for (_, second), (_, announced), word in zip(found.second, found.announced, words, strict=True):
        assert second >= word.end_s - 0.04  # not before it was heard
        assert announced >= second
    last = max(offset + label.frame for offset, labels in firsts for label in labels)
    heard_s = (last + 1) * 0.04
    assert heard_s < found.first[-1][1] < heard_s + 2 * chunk / RATE + 0.5


def test_a_backlog_is_carried_over(monkeypatch):
    """Each chunk of 120 ms takes 500 ms: the words of the last one are that late."""
    model, audio = reference_model(1, 2, 1), speech(3.0, 1)
    punctual = appearances(model, audio, 1920, RULE)
    monkeypatch.setattr("time.perf_counter", itertools.count(0, 0.5).__next__)
    late = appearances(model, audio, 1920, RULE)
    assert len(late.first) == len(punctual.first) > 3
    for (_, now), (_, then) in zip(late.first, punctual.first, strict=True):
        chunks = min(25, int(then / 0.12))
        assert 0.5 * chunks <= now < 0.13 + 0.5 * (chunks + 1)


def test_figures_of_recordings(manifest, monkeypatch):
    items = recordings(manifest)
    model = reference_model(0, 2, 1)

    def ends(audio, text):
        count = len(text.split())
        return [len(audio) / RATE * (i + 1) / count for i in range(count)]

    def there(model, audio, chunk, endpoint):
        """All words a quarter of a second after their ends, the second pass half a second."""
        item = items[len(heard)]
        heard.append(audio)
        spoken = item.text.split()
        seconds = ends(read_audio(item.audio_path), item.text)
        first, second = (
            [(word, end + late) for word, end in zip(spoken, seconds, strict=True)]
            for late in (0.25, 0.5)
        )
        return Appearances(first, second, [("ANOTHER", 9.0)])

    heard = []
    monkeypatch.setattr("experiments.live.latency.appearances", there)
    found = latency(model, items, ends, 120, RULE, quiet=True)
    count = sum(len(item.text.split()) for item in items)
    assert found.words == found.first_pass.words == count
    behind = found.alignment.last_word_behind_sound_ms.p50
    for own, last, ms in (
        (found.first_pass, found.last_words.first_pass, 250),
        (found.second_pass, found.last_words.second_pass, 500),
    ):
        assert vars(own.ms) == pytest.approx({"p5": ms, "p50": ms, "p95": ms})
        assert last.words == len(items)
        assert last.ms.p50 == pytest.approx(ms + behind)
    assert abs(behind) < 200
    assert found.announced == WordDelays(words=0, ms=None)


def test_room_noise_is_the_quietest_part():
    audio = np.concatenate([speech(1.0), np.full(4000, 0.001, np.float32), speech(1.0, 1)])
    noise = room_noise(audio, 1.0, RATE)
    assert len(noise) == RATE and np.abs(noise).max() <= 0.002
    assert not room_noise(audio[:100], 0.5, RATE).any()


def test_audio_goes_on_until_its_end(manifest):
    items = recordings(manifest)[:2]
    whole = np.concatenate(list(joined(items, 5.0, 0.5, RATE)))
    assert len(whole) == 5 * RATE
    sizes = [1000, 50000, 7]
    pieces = list(cut(joined(items, 5.0, 0.5, RATE), iter(sizes)))
    assert [len(piece) for piece in pieces] == [*sizes, 5 * RATE - sum(sizes)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


def test_pieces_cut_in_pauses():
    """Each begins at a whole frame, half a pause or a frame more after the recording before."""
    sizes = list(_middles([10_000, 7_001, 9_000, 400], 600, 640))
    begins = np.cumsum(sizes)
    assert list(begins % 640) == [0, 0, 0]
    middles = np.cumsum([10_000, 7_001, 9_000]) - 300
    assert np.all((begins <= middles) & (begins > middles - 640))


@pytest.mark.long
def test_an_utterance_without_a_pause_ends_by_its_length():
    model, audio = reference_model(1, 2, 1), speech(12.0, 1)
    chunks = [audio[at : at + 1920] for at in range(0, len(audio), 1920)]
    never = EndpointConfig(pause_s=1000.0, longest_s=3.0)
    cut = _stream(model, chunks, never)
    assert cut.by_length == len(cut.ends) == 3
    assert sum(cut.ends) < len(audio) and len(cut.texts) == 4
    paused = _stream(model, chunks, RULE)
    assert len(paused.ends) > 3 and paused.by_length == 0


def test_edits():
    assert [_edits(*pair) for pair in [("", ""), ("", "A B"), ("A", ""), ("A B", "A C D")]] == [
        *(0, 2, 1, 2)
    ]
    assert _edits("A", "A") == 0


def test_edits_at_joins():
    pieces = [["A", "B", "C"], [], ["D", "E", "F", "G"], ["H"]]

    def found(stream):
        return _edits_at_joins(pieces, stream.split())

    assert found("A B C D E F G H") == found("A C D E X F G H") == found("A B C D E X G H") == 0
    assert found("X B C D E F G H") == found("A B C D E F G") == found("A B C X D E F G H") == 1
    assert found("A B X Y E F G H X") == 3
    assert found("") == 8 and _edits_at_joins([[]], ["A"]) == 1


@pytest.mark.long
def test_a_long_run(live_file, manifest, tmp_path):
    from experiments.live.long_recording import long_run

    (tmp_path / "test.jsonl").write_text(manifest.read_text())
    found = long_run(live_file, tmp_path, ("test",), seconds=130.0, pause_s=1.5)
    assert found.audio_seconds == 130
    assert len(found.rss_mb) == 3  # two minutes and the end
    assert found.growth_mb == found.rss_mb[-1] - found.rss_mb[0]
    assert found.most_growth_mb < 5
    assert found.utterances > 5 and found.words > 20
    assert found.different_words <= 0.05 * found.words
    assert found.different_cut_in_pauses <= 0.05 * found.words
    assert 0 < found.recorded_seconds == pytest.approx(130 - 1.5 * found.recordings, abs=1.5)
    without = found.without_pauses
    assert without.audio_seconds == 130 and without.recordings > 5
    assert without.words > 20
    assert 0 <= without.different_at_joins <= without.different_words < without.words


@pytest.mark.slow
def test_the_command(tflite_export, live_file, manifest, prepared_folder, tmp_path):
    folder = PreparedFolder(prepared_folder)
    encoder = EncoderConfig(1, dim=16, heads=2, feed_forward=24, kernel=4, subsampling=8)
    made = Recogniser.create(
        ModelConfig(encoder), folder.tokenizer, folder.stats.mean, folder.stats.std
    )
    made.save(tmp_path / "ctc")
    out = tmp_path / "latency.json"
    words = ("--data", prepared_folder, "--align", tmp_path / "ctc", "--out", out, "--quiet")
    code, printed, err = tflite_export(
        *("streaming", "latency", live_file, *words),
        *("--long-splits", "test", "--long-seconds", 20),
    )
    assert (code, err) == (0, "")
    found = json.loads(out.read_text())
    assert found["long"]["audio_seconds"] == 20 and found["words"]["alignment"]["frame_ms"] == 40
    assert "20 s of speech" in printed and "versions" in found
