"""Features of audio in pieces are those of the whole recording."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_qat.audio.front_end import (
    LEVELLED_FRONT_END,
    NEMO_FRONT_END,
    FrontEndConfig,
    log_mel,
)
from asr_qat.audio.streaming_log_mel import StreamingLogMel
from asr_qat.errors import UserError

pytestmark = pytest.mark.runtime

CONFIGS = [FrontEndConfig(), LEVELLED_FRONT_END, FrontEndConfig(8000, 20.0, 10.0, 40, 60.0, 3800.0)]
# Windows that overlap little, or not at all.
CONFIGS += [FrontEndConfig(frame_ms=10.0), FrontEndConfig(frame_ms=5.0, mel_bins=8)]


def recording(samples: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    loudness = 10.0 ** rng.uniform(-5, 0, 1 + samples // 1000).repeat(1000)[:samples]
    return (loudness * rng.uniform(-1, 1, samples)).astype(np.float32)


def in_pieces(audio: np.ndarray, cuts: list[int], config: FrontEndConfig, block: int):
    stream = StreamingLogMel(config, block)
    found = [stream.accept(piece) for piece in np.split(audio, sorted(cuts))]
    assert all(len(blocks) % block == 0 for blocks in found)
    rest = stream.flush()
    assert len(rest) < block
    return np.concatenate([*found, rest])


@given(
    st.integers(0, 9000), st.data(), st.sampled_from(CONFIGS), st.integers(1, 5), st.integers(0, 99)
)
def test_any_chunks(samples, data, config, block, seed):
    audio = recording(samples, seed)
    cuts = data.draw(st.lists(st.integers(0, samples), max_size=20))
    found = in_pieces(audio, cuts, config, block)
    np.testing.assert_array_equal(found, in_pieces(audio, [], config, block))
    whole = log_mel(audio, config)
    assert found.shape == whole.shape and found.dtype == whole.dtype
    # Logarithms down to -14, of sums with a relative error of some 1e-7.
    np.testing.assert_allclose(found, whole, rtol=0, atol=2e-6)


def test_little_is_kept():
    config = CONFIGS[0]
    stream = StreamingLogMel(config, 4)
    for size in (1, 159, 16000, 7, 48000):
        stream.accept(np.zeros(size, np.float32))
        assert len(stream._pending) < 3 * config.hop_length + config.frame_length
        assert stream._pending.base is None  # no view of the whole piece


def test_flush_begins_anew():
    audio = recording(3000, 1)
    stream = StreamingLogMel(CONFIGS[0], 4)
    first = np.concatenate([stream.accept(audio), stream.flush()])
    np.testing.assert_array_equal(first, np.concatenate([stream.accept(audio), stream.flush()]))
    assert len(stream.flush()) == 0


def test_a_block_has_frames():
    with pytest.raises(UserError, match="block is 0"):
        StreamingLogMel(CONFIGS[0], 0)


def test_a_front_end_for_whole_recordings_has_no_stream():
    with pytest.raises(UserError, match="it needs normalization corpus, centred false"):
        StreamingLogMel(NEMO_FRONT_END, 4)
