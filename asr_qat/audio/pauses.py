"""Where a long recording is cut: in the pauses of its speakers, by level alone, in numpy."""

import dataclasses
import itertools
import math

import numpy as np

STEP_S = 0.01  # of levels
SMOOTH_STEPS = 5  # over which a level is averaged
AROUND_S = 10.0  # seconds before and after that say what is quiet and what is loud there
QUIET, LOUD = 5, 95  # percentiles
SHARE = 0.25  # of the way in dB from quiet to loud, below which there is a pause
LEAST_DB = 3.0  # above quiet, by which a level has to stand out
SHORTEST_S = 0.2  # of a pause: closures within words are shorter
LONG_S = 1.0  # pauses from here on are equally good to be cut in
FIRST_S = 1.0  # no piece is shorter, but the last one
MOST_PIECES = 4  # times the wanted length, after which a piece is cut without a pause


@dataclasses.dataclass(frozen=True)
class Piece:
    """Samples from `begin` up to `end` of a recording."""

    begin: int
    end: int


def cut_in_pauses(
    audio: np.ndarray, sample_rate: int, longest_s: float, always_s: float = math.inf
) -> list[Piece]:
    """Pieces that make up the recording, each of `longest_s` at most where pauses allow it.

    A recording that is not longer is one piece. Otherwise a cut is in the middle of a pause: the
    later and the longer that is, the better. Speech without a pause is not cut before it has one;
    after `MOST_PIECES * longest_s` it is cut where it is quietest.

    Args:
        audio: float `[samples]`.
        sample_rate: samples per second.
        longest_s: seconds.
        always_s: seconds of a pause that ends a piece with speech in it, however short that is.
    """
    if len(audio) <= longest_s * sample_rate:
        return [Piece(0, len(audio))]
    step = max(1, round(STEP_S * sample_rate))
    levels = _levels(audio, step)
    quiet = levels <= _bounds(levels)
    cuts = _cuts(levels, quiet, round(longest_s / STEP_S), always_s / STEP_S)
    return [Piece(a, b) for a, b in itertools.pairwise([0, *(c * step for c in cuts), len(audio)])]


def _levels(audio: np.ndarray, step: int) -> np.ndarray:
    """DB of each step, float32 `[len(audio) // step]`; an offset of the recording has none."""
    count = len(audio) // step
    levels = np.empty(count, np.float32)
    size = 10_000  # steps at once, so that an hour needs little memory
    for at in range(0, count, size):
        block = audio[at * step : min(at + size, count) * step].reshape(-1, step)
        levels[at : at + size] = block.var(axis=1, dtype=np.float64)
    smooth = np.convolve(levels, np.full(SMOOTH_STEPS, 1 / SMOOTH_STEPS, np.float32), "same")
    return 10 * np.log10(smooth + 1e-12)


def _bounds(levels: np.ndarray) -> np.ndarray:
    """The level of each step below which there is a pause."""
    bound = np.empty_like(levels)
    size = round(AROUND_S / STEP_S)
    for at in range(0, len(levels), size):
        around = levels[max(0, at - size) : at + 2 * size]
        quiet, loud = np.percentile(around, (QUIET, LOUD))
        bound[at : at + size] = quiet + max(LEAST_DB, SHARE * (loud - quiet))
    return bound


def _pauses(quiet: np.ndarray) -> list[tuple[int, int]]:
    """Places to cut at, ascending, and how long their pauses are, in steps."""
    changes = np.flatnonzero(np.diff(quiet.astype(np.int8), prepend=0, append=0))
    shortest, long = round(SHORTEST_S / STEP_S), round(LONG_S / STEP_S)
    found = []
    for a, b in zip(changes[::2].tolist(), changes[1::2].tolist(), strict=True):
        if b - a >= 4 * long:  # silence may be cut anywhere but near what is said
            found += [(at, long) for at in range(a + long, b - long + 1, long)]
        elif b - a >= shortest:
            found.append(((a + b) // 2, b - a))
    return found


def _cuts(levels: np.ndarray, quiet: np.ndarray, longest: int, always: float) -> list[int]:
    """Steps to cut at, ascending.

    Args:
        levels: of each step.
        quiet: whether it is in a pause.
        longest: steps of a piece.
        always: of a pause that ends a piece in any case.
    """
    pauses = _pauses(quiet)
    first, long = round(FIRST_S / STEP_S), round(LONG_S / STEP_S)
    middles = np.array([middle for middle, _ in pauses], int)
    lengths = np.array([length for _, length in pauses], int)
    heard = np.concatenate([[0], np.cumsum(~quiet)])  # steps with sound before each
    cuts: list[int] = []
    begin = 0
    while begin < len(levels):
        within = (middles >= begin + first) & (middles <= begin + longest)
        ends = within & (lengths >= always) & (heard[middles] > heard[begin])
        if ends.any():
            begin = int(middles[ends.argmax()])
        elif len(levels) - begin <= longest:
            break
        elif within.any():
            value = np.minimum(lengths, long) / long + (middles - begin) / longest
            begin = int(middles[np.where(within, value, -1).argmax()])
        else:
            begin = _late_cut(levels, middles, begin, longest)
        cuts.append(begin)
    return [cut for cut in cuts if cut < len(levels)]


def _late_cut(levels: np.ndarray, middles: np.ndarray, begin: int, longest: int) -> int:
    """Where speech that has no pause in time is cut."""
    after = middles[middles > begin + longest]
    most = begin + MOST_PIECES * longest
    end = int(after[0]) if len(after) else len(levels)
    return end if end <= most else most - longest + int(levels[most - longest : most].argmin())
