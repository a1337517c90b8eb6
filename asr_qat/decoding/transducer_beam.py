"""Time-synchronous transducer beam search, in numpy: for training, scoring and devices.

All hypotheses have seen the same frames. In each frame they grow label by label; after each
label a blank takes a copy out of the frame, and copies with the same labels are merged: their
probabilities are added. The `beam` best of these go to the next frame (time-synchronous
decoding in Saon, Tüske & Audhkhasi, "Alignment-length synchronous decoding for RNN transducer",
2020). As in Graves, "Sequence transduction with recurrent neural networks" (2012), a hypothesis
grows no further when `beam` hypotheses that left the frame are at least as probable: alone, what
grew from it would not be among the best. A sure blank ends the frame after a step or two.

With durations, blanks and labels lead to any of the next frames, and in each of these the `beam`
best of those that came there go on. A label of duration 0 grows as above, a blank of duration 0
goes on by one frame, as in the greedy search. What goes beyond the last frame ends there.

A language model and hotwords (shallow fusion) add to the scores by which hypotheses are compared,
never to those that are summed: what they add depends on the labels alone.
"""

import heapq
import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np

from asr_qat.decoding.fusion import Fusion
from asr_qat.decoding.hypothesis import Hypothesis
from asr_qat.decoding.transducer_steps import MAX_SYMBOLS, TransducerSteps
from asr_qat.errors import require

Tokens = tuple[int, ...]
Key = tuple[int, Tokens]  # utterance of the batch, its labels
Hypotheses = dict[Tokens, float]  # and their scores
Lasting = dict[int, np.ndarray]  # log-probabilities `[growing]` of each duration

# What grows is compared before it is fused: labels that are worse than the best by more are left.
WIDEST = 7.0


def beam_transducer(
    steps: TransducerSteps,
    encoded: np.ndarray,
    lengths: np.ndarray,
    beam: int,
    max_symbols: int = MAX_SYMBOLS,
    nbest: int = 1,
    normalise: bool = True,
    fusion: Fusion | None = None,
    widest: float = WIDEST,
) -> list[list[Hypothesis]]:
    """The most probable label sequences, each with the sum over its alignments.

    The networks run for all hypotheses of all utterances at once; the prediction network only
    for hypotheses that survived, once as long as they do. Equally good hypotheses keep the order
    in which they were found.

    Args:
        steps: the model.
        encoded: float32 `[batch, time, joint]`; what is beyond an utterance's end does not matter.
        lengths: int `[batch]`, valid frames of each utterance.
        beam: hypotheses kept from one frame to the next.
        max_symbols: labels at most from one frame; only a blank can follow.
        nbest: hypotheses returned, at most; fewer where fewer were found.
        normalise: return those with the best normalised score, not the best score. The search
            itself compares scores.
        fusion: what a language model and hotwords add; None for nothing.
        widest: with a fusion, how much worse than the best label of a step another may be.

    Returns:
        Hypotheses of each utterance, the best one first. An utterance without frames has only
        the empty one, with score 0.
    """
    require(beam >= 1, f"beam is {beam}: at least 1")
    require(1 <= nbest <= beam, f"nbest is {nbest}: from 1 to beam, {beam}")
    require(max_symbols >= 1, f"max_symbols is {max_symbols}: at least 1")
    predictions = _Predictions(steps, len(encoded))
    moves = _Moves(steps.blank, steps.durations)
    searches = [_Search(moves, beam, length, _Added(fusion, widest)) for length in lengths]
    for frame in range(max(lengths, default=0)):
        rows = np.flatnonzero(lengths > frame).tolist()
        for symbols in range(max_symbols + 1):
            keys = [(row, tokens) for row in rows for tokens in searches[row].growing]
            if not keys:
                break
            predictions.add(keys)
            frames = encoded[[row for row, _ in keys], frame]
            logits = steps.join(frames, predictions.of(keys))
            for row in rows:
                own, logits = np.split(logits, [len(searches[row].growing)])
                searches[row].step(own, only_blank=symbols == max_symbols)
        for row in rows:
            searches[row].next_frame()
        predictions.keep([(row, tokens) for row in rows for tokens in searches[row].alive()])
    return [search.nbest(nbest, normalise) for search in searches]


class _Moves:
    """By how many frames labels and blanks go on, and how probable that is.

    A plain transducer is one whose labels have the duration 0 and whose blanks have 1.
    """

    def __init__(self, blank: int, durations: tuple[int, ...]):
        self.blank = blank
        self._durations = durations
        self.ahead = [d for d in durations if d] or [1]  # frames that a hypothesis may leave to

    def scores(self, logits: np.ndarray, before: np.ndarray) -> tuple[np.ndarray, Lasting, Lasting]:
        """Scores of tokens, float64 `[growing, blank + 1]`, and what durations add to them.

        Args:
            logits: `[growing, classes]`.
            before: float64 `[growing]`, scores so far.

        Returns:
            The scores, and log-probabilities of the durations of labels and of blanks.
        """
        tokens, durations = np.split(logits, [self.blank + 1], axis=-1)
        scores = tokens + (before - _log_sum_exp(tokens))[:, None]
        if not self._durations:
            sure = np.zeros(len(before))
            return scores, {0: sure}, {1: sure}
        columns = (durations - _log_sum_exp(durations)[:, None]).T
        labels = dict(zip(self._durations, columns, strict=True))
        blanks = dict(labels)
        blanks[1] = np.logaddexp(blanks.pop(0), blanks[1])  # a blank goes on by one at least
        return scores, labels, blanks


class _Search:
    """The hypotheses of one utterance: those growing in a frame, those that left for later ones."""

    def __init__(self, moves: _Moves, beam: int, frames: int, added: "_Added"):
        self._moves, self._beam, self._frames, self._added = moves, beam, frames, added
        self._frame = 0
        self.growing: Hypotheses = {(): 0.0}
        self._ahead: dict[int, Hypotheses] = {}  # by frame

    def step(self, logits: np.ndarray, only_blank: bool) -> None:
        """Let all that grow leave by a blank or a label that lasts, the best grow by a label.

        Args:
            logits: `[growing, classes]`.
            only_blank: no label can follow.
        """
        if not self.growing:
            return
        before = np.array(list(self.growing.values()))
        scores, of_labels, of_blanks = self._moves.scores(logits, before)
        labels, blank = np.split(scores, [self._moves.blank], axis=-1)
        for duration, added in of_blanks.items():
            left = zip(self.growing, (blank[:, 0] + added).tolist(), strict=True)
            self._leave(duration, left)
        if only_blank:
            self.growing = {}
            return
        staying = labels + of_labels.pop(0)[:, None]
        for duration, added in of_labels.items():
            extended = self._extended(labels + added[:, None], self._least(duration))
            self._leave(duration, extended.items())
        # What grows may leave to any of the frames ahead.
        self.growing = self._extended(staying, min(map(self._least, self._moves.ahead)))

    def _leave(self, duration: int, hypotheses: Iterable[tuple[Tokens, float]]) -> None:
        """Go on by `duration` frames; those with the same labels there are merged."""
        there = self._ahead.setdefault(self._target(duration), {})
        for tokens, score in hypotheses:
            there[tokens] = float(np.logaddexp(there.get(tokens, -np.inf), score))

    def _target(self, duration: int) -> int:
        return min(self._frame + duration, self._frames)

    def _least(self, duration: int) -> float:
        """Score that is not enough to be among the best, `duration` frames ahead."""
        there = self._ahead.get(self._target(duration), {})
        best = heapq.nlargest(self._beam, map(self._added.rank, there.items()))
        return best[-1] if len(best) == self._beam else -np.inf

    def _extended(self, scores: np.ndarray, least: float) -> Hypotheses:
        """The best with one label more: `scores` `[growing, labels]` are of each with each.

        All have grown by as many labels, from different ones: no two have the same labels.
        """
        tokens = list(self.growing)
        places, ranks = self._added.candidates(tokens, scores, least)
        best = places[_best(ranks, self._beam)]
        parents, labels = np.divmod(best, scores.shape[1])
        columns = (parents.tolist(), labels.tolist(), scores.ravel()[best].tolist())
        return {(*tokens[p], label): score for p, label, score in zip(*columns, strict=True)}

    def next_frame(self) -> None:
        """Go on with the best of those that came there; a hypothesis that did not is dropped."""
        self._frame += 1
        there = self._ahead.pop(self._frame, {})
        best = heapq.nlargest(self._beam, there.items(), key=self._added.rank)
        self.growing = dict(best)
        self._added.keep(self.alive())

    def alive(self) -> list[Tokens]:
        """What grows in this frame or in a later one."""
        return list(dict.fromkeys(itertools.chain(self.growing, *self._ahead.values())))

    def nbest(self, count: int, normalise: bool) -> list[Hypothesis]:
        """The best when the utterance is over."""
        found = [Hypothesis(t, score, self._added.end(t)) for t, score in self.growing.items()]
        found.sort(key=lambda h: h.normalised_score if normalise else h.total, reverse=True)
        return found[:count]


class _Added:
    """What the fusion adds to the hypotheses of an utterance; nothing without one."""

    def __init__(self, fusion: Fusion | None, widest: float):
        self._fusion, self._widest = fusion, widest
        self._states: dict[Tokens, Any] = {} if fusion is None else {(): fusion.begin()}

    def rank(self, hypothesis: tuple[Tokens, float]) -> float:
        """Score of a hypothesis with what is added."""
        tokens, score = hypothesis
        if self._fusion is None:
            return score
        added: float = self._states[tokens].score
        return score + added

    def candidates(
        self, tokens: list[Tokens], scores: np.ndarray, least: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Places in `scores` `[growing, labels]` that rank above `least`, and their ranks."""
        flat = scores.ravel()
        if self._fusion is None:
            places = np.flatnonzero(flat > least)
            return places, flat[places]
        before = scores + np.array([[self._states[each].score] for each in tokens])
        enough = (before >= before.max() - self._widest) & (scores > -np.inf)
        places = np.flatnonzero(enough)
        parents, labels = np.divmod(places, scores.shape[1])
        added = [
            self._extended(tokens[parent], label)
            for parent, label in zip(parents.tolist(), labels.tolist(), strict=True)
        ]
        ranks = flat[places] + np.array(added)
        return places[ranks > least], ranks[ranks > least]

    def _extended(self, tokens: Tokens, label: int) -> float:
        assert self._fusion is not None
        longer = (*tokens, label)
        if longer not in self._states:
            self._states[longer] = self._fusion.extend(self._states[tokens], label)
        added: float = self._states[longer].score
        return added

    def keep(self, alive: list[Tokens]) -> None:
        """Forget the states of all others."""
        if self._fusion is not None:
            self._states = {tokens: self._states[tokens] for tokens in alive}

    def end(self, tokens: Tokens) -> float:
        """What is added if no label follows."""
        return 0.0 if self._fusion is None else self._fusion.end(self._states[tokens])


def _log_sum_exp(logits: np.ndarray) -> np.ndarray:
    """`[rows, classes]` to float64 `[rows]`."""
    largest = logits.max(axis=-1)
    return largest + np.log(np.exp(logits - largest[:, None]).sum(axis=-1, dtype=np.float64))


def _best(values: np.ndarray, count: int) -> np.ndarray:
    """Indices of the `count` largest, the largest one first; the first of equal ones."""
    indices = np.arange(len(values))
    if len(values) > count:  # sort only these
        indices = np.flatnonzero(values >= np.partition(values, -count)[-count])
    return indices[np.argsort(-values[indices], kind="stable")][:count]


class _Predictions:
    """Output and state of the prediction network for each label sequence that is in use."""

    def __init__(self, steps: TransducerSteps, utterances: int):
        self._steps = steps
        start = np.full(utterances, steps.blank, np.int32)
        self._predicted, self._state = steps.predict(start, steps.initial_state(utterances))
        self._places: dict[Key, int] = {(row, ()): row for row in range(utterances)}

    def of(self, keys: list[Key]) -> np.ndarray:
        """`[keys, joint]`."""
        return self._predicted[[self._places[key] for key in keys]]

    def add(self, keys: list[Key]) -> None:
        """Predict for those `keys` that are new; that of one label less is here."""
        new = [key for key in keys if key not in self._places]
        if not new:
            return
        parents = [self._places[row, tokens[:-1]] for row, tokens in new]
        labels = np.array([tokens[-1] for _, tokens in new], np.int32)
        before = tuple(part[parents] for part in self._state)
        predicted, state = self._steps.predict(labels, before)
        for key in new:
            self._places[key] = len(self._places)
        self._predicted = np.concatenate([self._predicted, predicted])
        self._state = tuple(map(np.concatenate, zip(self._state, state, strict=True)))

    def keep(self, keys: list[Key]) -> None:
        """Forget all but `keys`, or what is here of them: that of one label less."""
        kept = dict.fromkeys(key if key in self._places else (key[0], key[1][:-1]) for key in keys)
        if len(kept) == len(self._places):
            return
        places = [self._places[key] for key in kept]
        self._predicted = self._predicted[places]
        self._state = tuple(part[places] for part in self._state)
        self._places = {key: place for place, key in enumerate(kept)}
