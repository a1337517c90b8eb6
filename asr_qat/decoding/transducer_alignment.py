"""Forced alignment of labels to the frames of a transducer, in numpy."""

import math
from collections.abc import Sequence

import numpy as np

from asr_qat.counted import counted
from asr_qat.decoding.log_softmax import log_softmax
from asr_qat.decoding.timed_label import TimedLabel
from asr_qat.decoding.transducer_steps import TransducerSteps, predictions
from asr_qat.errors import require

WIDEST = 12.0

Place = tuple[int, int]  # a frame, and how many labels are there before it


def align_transducer(
    steps: TransducerSteps, encoded: np.ndarray, tokens: Sequence[int], widest: float = WIDEST
) -> list[TimedLabel]:
    """The frames of each label on the likeliest path (Viterbi) through the lattice.

    Frame by frame; places of a frame that are worse than its best one by more than `widest` are
    left. The probability of a label is that among labels, as in `transducer_times.emitted`.

    Args:
        steps: the model.
        encoded: float32 `[frames, joint]`.
        tokens: labels, as many as there may be.
        widest: in nats.

    Raises:
        UserError: no frames for the labels.
    """
    require(
        len(encoded) > 0 or not len(tokens),
        f"0 frames for {counted(len(tokens), 'label')}: too few",
    )
    lattice = _Lattice(steps, encoded, list(tokens))
    for wide in (widest, math.inf):  # without bounds if the labels were not reached within them
        path = lattice.best_path(wide)
        if path is not None:
            return [label for label in path if label is not None]
    raise AssertionError("each label has a finite logit")


class _Lattice:
    """Frames by labels, computed where the search comes."""

    def __init__(self, steps: TransducerSteps, encoded: np.ndarray, tokens: list[int]):
        self._steps, self._encoded, self._tokens = steps, encoded, tokens
        self._predicted = predictions(steps, tokens)

    def best_path(self, widest: float) -> list[TimedLabel | None] | None:
        """The moves from the first frame to the last one; None if they do not lead there."""
        frames = len(self._encoded)
        best: list[dict[int, float]] = [{} for _ in range(frames + 1)]
        best[0][0] = 0.0
        came: dict[Place, tuple[Place, TimedLabel | None]] = {}
        for frame in range(frames):
            most, count = -math.inf, min(best[frame], default=0)
            while count <= max(best[frame], default=-1):
                score = best[frame].get(count, -math.inf)
                most = max(most, score)
                if score > -math.inf and score >= most - widest:
                    for ahead, more, gained, label in self._moves(frame, count):
                        to = min(frame + ahead, frames), count + more
                        if score + gained > best[to[0]].get(to[1], -math.inf):
                            best[to[0]][to[1]] = score + gained
                            came[to] = (frame, count), label
                count += 1
        place = frames, len(self._tokens)
        if place[1] not in best[frames]:
            return None
        path = []
        while place != (0, 0):
            place, label = came[place]
            path.append(label)
        return path[::-1]

    def _moves(self, frame: int, count: int) -> list[tuple[int, int, float, TimedLabel | None]]:
        """Frames to go on, labels more, log-probability, and the label, of each way on."""
        blank, durations = self._steps.blank, self._steps.durations
        row = self._encoded[frame : frame + 1], self._predicted[count : count + 1]
        (logits,) = self._steps.join(*row)
        scores = log_softmax(logits[: blank + 1])
        lasting = {1: 0.0}
        if durations:
            lasting = dict(zip(durations, log_softmax(logits[blank + 1 :]), strict=True))
        moves: list[tuple[int, int, float, TimedLabel | None]] = [
            (max(ahead, 1), 0, scores[blank] + added, None) for ahead, added in lasting.items()
        ]
        if count == len(self._tokens):
            return moves
        token = self._tokens[count]
        among = float(scores[token] - np.logaddexp.reduce(scores[:blank]))
        for ahead, added in (lasting if durations else {0: 0.0}).items():
            label = TimedLabel(token, frame, frame + max(ahead, 1) - 1, among)
            moves.append((ahead, 1, scores[token] + added, label))
        return moves
