"""A small streaming transducer in numpy, of random weights, and what it finds offline."""

import numpy as np

from asr_qat.audio.front_end import FrontEndConfig, log_mel, normalize
from asr_qat.decoding.transducer_incremental import advance_search, begin_search
from asr_qat.text.tokenizer import Tokenizer
from tflite_export.runtime.live.live_model import LiveModel

MEL_BINS, JOINT, UNITS = 20, 6, 5
FRONT_END = FrontEndConfig(mel_bins=MEL_BINS)
MEAN, STD = np.full(MEL_BINS, -8.0, np.float32), np.full(MEL_BINS, 3.0, np.float32)
FRAME = 640  # samples


class ReferenceEncoder:
    """Both passes see ahead, and back by a state that fades.

    What one has of the frames ahead is their sum over those that are valid.
    """

    frame_ms, subsampling, step_frames = 40.0, 4, (1, 3)

    def __init__(self, look_ahead: int = 0, delay: int = 2, seed: int = 0):
        rng = np.random.default_rng(seed)
        self.look_ahead, self.delay = look_ahead, delay
        self.first_weights = 0.4 * rng.standard_normal((4 * MEL_BINS, JOINT))
        self.second_weights = 0.7 * rng.standard_normal((JOINT, JOINT))
        self.calls: list[tuple[str, int, int]] = []  # pass, frames, valid

    def first_state(self):
        return {"ahead": np.zeros((self.look_ahead + 1, JOINT)), "past": np.zeros(JOINT)}

    def second_state(self):
        return {"ahead": np.zeros((self.delay + 1, JOINT)), "past": np.zeros(JOINT)}

    def first(self, features, valid, state):
        frames = len(features) // 4
        assert features.shape == (4 * frames, MEL_BINS) and frames in self.step_frames
        assert features.dtype == np.float32 and not features[valid:].any()
        self.calls.append(("first", frames, valid))
        inputs = features.reshape(frames, -1).astype(np.float64) @ self.first_weights
        rows, state = run(inputs, state)
        return rows, rows, state

    def second(self, hidden, valid, state):
        assert len(hidden) in self.step_frames and hidden.dtype == np.float32
        assert valid in (0, len(hidden)) and (valid or not hidden.any())
        self.calls.append(("second", len(hidden), valid))
        return run(hidden.astype(np.float64) @ self.second_weights, state)


def run(inputs, state):
    ahead, past, rows = state["ahead"], state["past"], []
    for row in inputs:
        ahead = np.concatenate([ahead[1:], row[None]])
        past = 0.5 * past + ahead.sum(axis=0)
        rows.append(np.tanh(past))
    return np.array(rows, np.float32), {"ahead": ahead, "past": past}


def offline(inputs, ahead: int):
    """The same of a whole utterance. The frames before it are about nothing but go into `past`."""
    inputs = np.concatenate([np.zeros((ahead, JOINT)), inputs, np.zeros((ahead, JOINT))])
    past, rows = np.zeros(JOINT), []
    for t in range(len(inputs) - ahead):
        past = 0.5 * past + inputs[t : t + ahead + 1].sum(axis=0)
        rows.append(np.tanh(past))
    return np.array(rows, np.float32).reshape(-1, JOINT)[ahead:]


class ReferenceSteps:
    """Blanks are likelier where the frame says so: some frames have labels, others none."""

    def __init__(self, blank: int, seed: int = 0, blank_bias: float = 1.0):
        rng = np.random.default_rng(seed)
        self.blank, self.durations = blank, ()
        self.embedding = rng.standard_normal((blank + 1, UNITS))
        self.recurrent = 0.5 * rng.standard_normal((UNITS, UNITS))
        self.out = rng.standard_normal((UNITS, JOINT))
        self.kernel = 2 * rng.standard_normal((JOINT, blank + 1))
        self.bias = np.zeros(blank + 1)
        self.bias[-1] = blank_bias

    def initial_state(self, rows):
        return (np.zeros((rows, UNITS), np.float32),)

    def predict(self, labels, state):
        after = np.tanh(self.embedding[labels] + state[0] @ self.recurrent).astype(np.float32)
        return (after @ self.out).astype(np.float32), (after,)

    def join(self, encoded, predicted):
        return (np.tanh(encoded + predicted) @ self.kernel + self.bias).astype(np.float32)


TOKENIZER = Tokenizer.train(["ONE TWO THREE FOUR FIVE"], 30, "unigram")


def reference_model(look_ahead=0, delay=2, seed=0, blank_bias=1.0) -> LiveModel:
    steps = ReferenceSteps(TOKENIZER.blank, seed, blank_bias)
    encoder = ReferenceEncoder(look_ahead, delay, seed)
    return LiveModel(FRONT_END, MEAN, STD, TOKENIZER, encoder, steps)


def offline_searches(model: LiveModel, features):
    """The final state of the search of both passes over normalised features `[frames, mel]`."""
    encoder = model.encoder
    frames = -(-len(features) // 4)
    padded = np.zeros((4 * frames, MEL_BINS), np.float32)
    padded[: len(features)] = features
    inputs = padded.reshape(frames, 4 * MEL_BINS).astype(np.float64) @ encoder.first_weights
    first = offline(inputs, encoder.look_ahead)
    second = offline(first.astype(np.float64) @ encoder.second_weights, encoder.delay)
    start = begin_search(model.steps)
    return advance_search(model.steps, start, first), advance_search(model.steps, start, second)


def features_of(audio) -> np.ndarray:
    return normalize(log_mel(audio, FRONT_END), FRONT_END, MEAN, STD)


def speech(seconds: float, seed: int = 0) -> np.ndarray:
    """Noise whose loudness and colour change from word to word."""
    rng = np.random.default_rng(seed)
    samples = round(16000 * seconds)
    loudness = 10.0 ** rng.uniform(-3, -0.3, 1 + samples // 3000).repeat(3000)[:samples]
    noise = rng.uniform(-1, 1, samples)
    noise += rng.choice([-1, 1], 1 + samples // 3000).repeat(3000)[:samples] * np.roll(noise, 1)
    return (0.49 * loudness * noise).astype(np.float32)
