"""A random transducer to search, and its best labels by loops and by enumeration."""

import math
from collections import defaultdict

import numpy as np
from hypothesis import strategies as st

JOINT, UNITS = 5, 4
EVERYTHING = 10**6  # a beam that drops nothing


class RandomModel:
    """A transducer whose state, in two parts, depends on all labels so far.

    `classes` are those of tokens; those of `durations` come on top.
    """

    def __init__(self, classes, seed=0, blank_bias=0.0, scale=2.0, durations=()):
        rng = np.random.default_rng(seed)
        self.blank, self.durations = classes - 1, durations
        self.embedding = rng.standard_normal((classes, UNITS))
        self.recurrent = rng.standard_normal((UNITS, UNITS))
        self.slow = rng.standard_normal((UNITS, 3))
        self.out = rng.standard_normal((UNITS + 3, JOINT))
        self.kernel = scale * rng.standard_normal((JOINT, classes + len(durations)))
        self.bias = np.zeros(classes + len(durations))
        self.bias[self.blank] = blank_bias
        self.predicted_rows = []  # label and state of each row of `predict`

    def initial_state(self, rows):
        return read_only(np.zeros((rows, UNITS))), read_only(np.zeros((rows, 3)))

    def predict(self, labels, state):
        assert labels.dtype == np.int32 and labels.ndim == 1 and len(labels)
        assert all(part.dtype == np.float32 for part in state)
        rows = np.concatenate([labels[:, None], *state], axis=1)
        self.predicted_rows += [row.tobytes() for row in rows]
        fast = np.tanh(self.embedding[labels] + state[0] @ self.recurrent)
        slow = 0.5 * state[1] + fast @ self.slow
        predicted = np.concatenate([fast, slow], axis=1) @ self.out
        return read_only(predicted), (read_only(fast), read_only(slow))

    def join(self, encoded, predicted):
        assert encoded.shape == predicted.shape and len(encoded)
        assert np.isfinite(encoded).all()  # padding is not to be looked at
        return read_only(np.tanh(encoded + predicted) @ self.kernel + self.bias)

    def log_probs(self, frame, labels):
        """Of tokens after `labels`, from the beginning: float64 `[classes]`."""
        return _log_softmax(self._logits(frame, labels)[: self.blank + 1])

    def log_durations(self, frame, labels):
        """Log-probability of each duration after `labels`."""
        found = _log_softmax(self._logits(frame, labels)[self.blank + 1 :])
        return dict(zip(self.durations, found, strict=True))

    def _logits(self, frame, labels):
        state = self.initial_state(1)
        for label in (self.blank, *labels):
            predicted, state = self.predict(np.array([label], np.int32), state)
        return self.join(frame[None], predicted)[0].astype(np.float64)


def _log_softmax(logits):
    return logits - np.log(np.exp(logits).sum())


def read_only(values):
    values = values.astype(np.float32)
    values.flags.writeable = False
    return values


def utterances(lengths, seed=0):
    """Encoded `[batch, time, joint]`; no number is beyond the lengths."""
    rng = np.random.default_rng(seed)
    encoded = rng.standard_normal((len(lengths), max(lengths) + 1, JOINT)).astype(np.float32)
    for row, length in enumerate(lengths):
        encoded[row, length:] = np.nan
    return encoded, np.array(lengths, np.int32)


def greedy_loop(model, encoded, max_symbols):
    """Labels of one utterance, and the log-probability of the alignment that gave them."""
    labels, score = [], 0.0
    for frame in encoded:
        for symbols in range(max_symbols + 1):
            log_probs = model.log_probs(frame, labels)
            best = model.blank if symbols == max_symbols else int(log_probs.argmax())
            score += log_probs[best]
            if best == model.blank:
                break
            labels.append(best)
    return labels, score


def all_sums(model, encoded, max_symbols):
    """Log-probability of each label sequence, summed over the alignments that obey the cap."""
    totals = defaultdict(float)

    def walk(time, symbols, labels, score):
        if time == len(encoded):
            totals[labels] += math.exp(score)
            return
        log_probs = model.log_probs(encoded[time], labels)
        walk(time + 1, 0, labels, score + log_probs[model.blank])
        if symbols < max_symbols:
            for label in range(model.blank):
                walk(time, symbols + 1, (*labels, label), score + log_probs[label])

    walk(0, 0, (), 0.0)
    return {labels: math.log(total) for labels, total in totals.items()}


def scores(hypotheses):
    assert len({h.tokens for h in hypotheses}) == len(hypotheses)
    return {h.tokens: h.score for h in hypotheses}


lengths_of_batch = st.lists(st.integers(0, 7), min_size=1, max_size=4)
