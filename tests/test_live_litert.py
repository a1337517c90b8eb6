"""The streaming encoder in LiteRT: delays, steps of both lengths, states, sessions."""

import numpy as np
import pytest

from asr_qat.audio.front_end import log_mel, normalize
from asr_qat.decoding.transducer_incremental import advance_search, begin_search
from asr_qat.errors import UserError
from tests.live_file import DELAY, JOINT, LOOK_AHEAD, MEL_BINS, offline_encoded
from tests.live_reference import speech
from tflite_export.commands.inspect import format_tables
from tflite_export.runtime.live.endpoint import EndpointConfig
from tflite_export.runtime.live.live_model import load_model
from tflite_export.runtime.live.session import Session
from tflite_export.score.contents import LiveFacts
from tflite_export.score.inspect import inspect

pytest_plugins = ["tests.live_file", "tests.export_fixtures"]
pytestmark = pytest.mark.slow


def test_what_the_file_says(live_model):
    encoder = live_model.encoder
    assert (encoder.look_ahead, encoder.delay) == (LOOK_AHEAD, DELAY)
    assert encoder.step_frames == (1, 3)
    assert (encoder.frame_ms, encoder.subsampling) == (40.0, 4)


@pytest.mark.parametrize("steps", [[1] * 9, [3] * 3, [1, 3, 3, 1, 1], [3, 1, 1, 1, 3]])
def test_rows_are_those_of_the_whole(live_model, steps):
    encoder = live_model.encoder
    features = np.random.default_rng(0).standard_normal((36, MEL_BINS)).astype(np.float32)
    state, second_state = encoder.first_state(), encoder.second_state()
    first, second, at = [], [], 0
    for size in steps:
        rows, hidden, state = encoder.first(features[4 * at :][: 4 * size], 4 * size, state)
        first.append(rows)
        known = hidden[max(0, LOOK_AHEAD - at) :]
        for row in known:
            rows, second_state = encoder.second(row[None], 1, second_state)
            second.append(rows)
        at += size
    expected, expected_second = offline_encoded(features)
    found = np.concatenate(first)[LOOK_AHEAD:]
    np.testing.assert_allclose(found, expected[: len(found)], atol=1e-5)
    found = np.concatenate(second)[DELAY:]
    assert len(found) == 9 - LOOK_AHEAD - DELAY and found.shape[1] == JOINT
    np.testing.assert_allclose(found, expected_second[: len(found)], atol=1e-5)


def test_states_can_be_used_again(live_model):
    encoder, features = live_model.encoder, np.ones((4, MEL_BINS), np.float32)
    _, _, state = encoder.first(features, 4, encoder.first_state())
    kept = {name: values.copy() for name, values in state.items()}
    once = encoder.first(2 * features, 4, state)[0]
    encoder.first(3 * features, 4, encoder.first_state())
    np.testing.assert_array_equal(encoder.first(2 * features, 4, state)[0], once)
    for name, values in state.items():
        np.testing.assert_array_equal(values, kept[name])


@pytest.mark.parametrize("chunk", [960, 1920, 3840, 7680])
def test_a_session_finds_the_words_of_the_whole(live_model, chunk):
    audio = speech(3.0, 1)
    front_end = live_model.front_end
    mels = log_mel(audio, front_end)
    features = normalize(mels, front_end, live_model.mean, live_model.std)
    padded = np.zeros((-(-len(features) // 4) * 4, MEL_BINS), np.float32)
    padded[: len(features)] = features
    _, second = offline_encoded(padded)
    steps = live_model.steps
    expected = advance_search(steps, begin_search(steps), second.astype(np.float32)).tokens
    assert len(expected) > 5
    session = Session(live_model, EndpointConfig(1000.0, 1000.0))
    for at in range(0, len(audio), chunk):
        session.accept(audio[at : at + chunk])
    final, *_ = session.finish()
    assert final.text == " ".join(live_model.tokenizer.decode(expected).split())


def test_two_sessions_do_not_mix(live_model):
    audios = [speech(2.0, 1), speech(2.0, 2)]

    def run(together: bool):
        sessions = [Session(live_model) for _ in audios]
        order = [(at, i) for at in range(0, 32000, 1920) for i in (0, 1)]
        order = order if together else sorted(order, key=lambda pair: (pair[1], pair[0]))
        events = [[], []]
        for at, i in order:
            events[i] += sessions[i].accept(audios[i][at : at + 1920])
        return [[e for e in own if hasattr(e, "words")] for own in events]

    assert run(together=True) == run(together=False)


def test_inspect_tells_how_it_streams(live_file):
    found = inspect(live_file)
    assert found.live == LiveFacts(
        chunk_ms=(40, 120),
        left_context_ms=0,
        look_ahead_ms={"causal": 40, "cascade": 80},
        latency_ms={"first": 40, "second": 120},
    )
    printed = " ".join(format_tables(found).split())
    assert "chunks of 40 or 120 ms" in printed
    assert "latency first pass 40 ms, second pass 120 ms" in printed


def test_other_files(exported, tmp_path):
    with pytest.raises(UserError, match="not the file of a live model"):
        load_model(exported("float"))
    with pytest.raises(UserError, match="no such file"):
        load_model(tmp_path / "none.tflite")
