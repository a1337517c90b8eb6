"""The search in pieces is the search of the whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_qat.decoding.transducer_greedy import greedy_transducer
from asr_qat.decoding.transducer_incremental import advance_search, begin_search
from asr_qat.errors import UserError
from tests.test_transducer_search import RandomModel, utterances

pytestmark = pytest.mark.runtime


@given(
    st.integers(0, 12),
    st.data(),
    st.integers(2, 5),
    st.integers(1, 3),
    st.integers(-2, 3),
    st.integers(0, 99),
)
def test_any_pieces(frames, data, classes, max_symbols, blank_bias, seed):
    model = RandomModel(classes, seed, blank_bias)
    encoded, lengths = utterances([frames], seed)
    (expected,) = greedy_transducer(model, encoded, lengths, max_symbols)
    cuts = sorted(data.draw(st.lists(st.integers(0, frames), max_size=8)))
    model.predicted_rows.clear()
    state = begin_search(model)
    for piece in np.split(encoded[0, :frames], cuts):
        state = advance_search(model, state, piece, max_symbols)
    assert state.tokens == expected and state.frames == frames
    assert len(model.predicted_rows) == 1 + len(expected)
    assert all(type(emission.token) is int for emission in state.emissions)
    for emission in state.emissions:  # what the frames up to this one give ends with it
        upto = greedy_transducer(model, encoded, np.array([emission.frame + 1]), max_symbols)[0]
        before = greedy_transducer(model, encoded, np.array([emission.frame]), max_symbols)[0]
        assert len(before) <= state.emissions.index(emission) < len(upto)


def test_states_can_be_used_again():
    """A search that went on does not change the state that it began with."""
    model = RandomModel(4, seed=1)
    encoded, _ = utterances([8, 8], seed=1)
    start = begin_search(model)
    first = advance_search(model, start, encoded[0, :8])
    other = advance_search(model, start, encoded[1, :8])
    assert first.tokens != other.tokens
    assert advance_search(model, start, encoded[0, :8]).emissions == first.emissions


def test_max_symbols_out_of_range():
    model = RandomModel(3)
    with pytest.raises(UserError, match="max_symbols"):
        advance_search(model, begin_search(model), np.zeros((1, 5), np.float32), 0)
