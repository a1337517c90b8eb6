"""CTC prefix beam search with shallow fusion, in numpy and plain Python.

Graves & Jaitly, "Towards end-to-end speech recognition with recurrent neural networks" (2014);
Hannun et al., "First-pass large vocabulary continuous speech recognition using bi-directional
recurrent DNNs" (2014). Alignments with the same labels are summed; what a language model and
hotwords add depends on the labels alone and only decides which prefixes are kept.
"""

import math
from collections.abc import Iterator

import numpy as np

from asr_qat.decoding.fusion import Fusion
from asr_qat.decoding.hypothesis import Hypothesis
from asr_qat.decoding.log_softmax import log_softmax
from asr_qat.errors import require

NEVER = -math.inf
LEAST_LOG_PROB = -7.0  # a class that is less probable in a frame is not looked at there
WIDEST = 10.0  # prefixes that are worse than the best one by more are dropped

Classes = list[tuple[int, float]]  # of a frame, with their log-probabilities


def beam_ctc(
    logits: np.ndarray,
    beam: int,
    nbest: int = 1,
    fusion: Fusion | None = None,
    least_log_prob: float = LEAST_LOG_PROB,
    widest: float = WIDEST,
) -> list[Hypothesis]:
    """The best label sequences, the sum of log-probability and fusion deciding.

    Args:
        logits: `[frames, classes]` of one utterance; the last class is the blank.
        beam: prefixes kept from one frame to the next.
        nbest: hypotheses returned, at most; fewer where fewer were found.
        fusion: None to search by the probabilities of the model alone.
        least_log_prob: classes below it are left out in a frame, unless one is the best there;
            where only the blank is left, a frame costs next to nothing.
        widest: how much worse than the best prefix of a frame another may be.

    Returns:
        The best one first; `Hypothesis.bonus` is what the fusion adds.
    """
    require(beam >= 1, f"beam is {beam}: at least 1")
    require(1 <= nbest <= beam, f"nbest is {nbest}: from 1 to beam, {beam}")
    blank = logits.shape[1] - 1
    root = _Prefix(None, blank, None if fusion is None else fusion.begin())
    root.blank = root.total = root.rank = 0.0
    kept = [root]
    for classes in _classes(log_softmax(logits), least_log_prob):
        if len(classes) == 1 and classes[0][0] == blank:
            for prefix in kept:
                prefix.only_blank(classes[0][1])
            continue
        best = max(prefix.rank for prefix in kept)
        changed = _extended(kept, classes, blank, fusion, best - widest)
        for prefix in changed:
            prefix.next_frame()
        kept = _best(changed, beam, widest)
    found = [prefix.hypothesis(fusion) for prefix in kept]
    found.sort(key=lambda hypothesis: -hypothesis.total)
    return found[:nbest]


class _Prefix:
    """Labels, and the log-probabilities of all alignments with them up to a frame.

    Attributes:
        parent: the labels before the last one.
        label: the last one, the blank of no labels.
        state: of the fusion.
        added: its score.
        blank: of alignments that end with a blank.
        labelled: of those that end with the last label.
        total: of both together.
        rank: with what the fusion adds.
    """

    __slots__ = (
        "added", "blank", "children", "label", "labelled", "next_blank", "next_labelled", "parent",
        "rank", "state", "total",
    )  # fmt: skip

    def __init__(self, parent: "_Prefix | None", label: int, state):
        self.parent, self.label, self.state = parent, label, state
        self.added: float = 0.0 if state is None else state.score
        self.children: dict[int, _Prefix] = {}
        self.blank = self.labelled = self.total = self.rank = NEVER
        self.next_blank = self.next_labelled = NEVER

    def child(self, label: int, fusion: Fusion | None) -> "_Prefix":
        """The prefix with one label more."""
        found = self.children.get(label)
        if found is None:
            state = None if fusion is None else fusion.extend(self.state, label)
            found = self.children[label] = _Prefix(self, label, state)
        return found

    def only_blank(self, log_prob: float) -> None:
        """Go on by a frame that holds nothing but a blank."""
        self.blank = self.total = self.total + log_prob
        self.labelled = NEVER
        self.rank = self.total + self.added

    def next_frame(self) -> None:
        """Go on by a frame, with what was gathered for it."""
        self.blank, self.labelled = self.next_blank, self.next_labelled
        self.next_blank = self.next_labelled = NEVER
        self.total = _sum(self.blank, self.labelled)
        self.rank = self.total + self.added

    def hypothesis(self, fusion: Fusion | None) -> Hypothesis:
        """The labels, with the score of the fusion if none follows."""
        labels, prefix = [], self
        while prefix.parent is not None:
            labels.append(prefix.label)
            prefix = prefix.parent
        bonus = 0.0 if fusion is None else fusion.end(self.state)
        return Hypothesis(tuple(reversed(labels)), self.total, bonus)


def _classes(log_probs: np.ndarray, least: float) -> Iterator[Classes]:
    """Those of each frame that are looked at."""
    looked_at = log_probs >= np.minimum(least, log_probs.max(axis=1, keepdims=True))
    frames, classes = np.nonzero(looked_at)
    values = log_probs[frames, classes].tolist()
    labels = classes.tolist()
    ends = np.cumsum(looked_at.sum(axis=1)).tolist()
    begin = 0
    for end in ends:
        yield list(zip(labels[begin:end], values[begin:end], strict=True))
        begin = end


def _extended(
    kept: list[_Prefix], classes: Classes, blank: int, fusion: Fusion | None, least: float
) -> list[_Prefix]:
    """Gather the probabilities of all prefixes of the next frame that are worth it.

    Args:
        kept: the prefixes of this frame.
        classes: of the next frame.
        blank: the class.
        fusion: or None.
        least: rank below which a new prefix is not made.
    """
    changed: dict[int, _Prefix] = {}
    for prefix in kept:
        for label, log_prob in classes:
            if label == blank:
                prefix.next_blank = prefix.total + log_prob
                changed[id(prefix)] = prefix
                continue
            before = prefix.total
            if label == prefix.label:
                labelled = prefix.labelled + log_prob
                prefix.next_labelled = _sum(prefix.next_labelled, labelled)
                changed[id(prefix)] = prefix
                before = prefix.blank  # a blank is between equal labels
            gained = before + log_prob
            if gained + prefix.added < least or gained == NEVER:
                continue
            child = prefix.child(label, fusion)
            child.next_labelled = _sum(child.next_labelled, gained)
            changed[id(child)] = child
    return list(changed.values())


def _best(prefixes: list[_Prefix], beam: int, widest: float) -> list[_Prefix]:
    prefixes.sort(key=lambda prefix: -prefix.rank)
    least = prefixes[0].rank - widest
    return [prefix for prefix in prefixes[:beam] if prefix.rank >= least]


def _sum(a: float, b: float) -> float:
    """Logarithm of the sum of two probabilities."""
    if a < b:
        a, b = b, a
    return a if b == NEVER else a + math.log1p(math.exp(b - a))
