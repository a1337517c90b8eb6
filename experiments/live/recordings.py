"""Streams made of recordings, with the noise of their rooms between them."""

import itertools
from collections.abc import Iterable, Iterator

import numpy as np

from asr_qat.corpora.utterance import Utterance

QUIET_S = 0.2  # of a recording, that is repeated
HOP_S = 0.02


def room_noise(audio: np.ndarray, seconds: float, rate: int) -> np.ndarray:
    """The quietest `QUIET_S` of a recording, forwards and backwards in turn, float32."""
    size, hop = round(QUIET_S * rate), round(HOP_S * rate)
    wanted = round(seconds * rate)
    if len(audio) < size:
        return np.zeros(wanted, np.float32)
    starts = range(0, len(audio) - size + 1, hop)
    quietest = min(starts, key=lambda at: float(np.square(audio[at : at + size]).sum()))
    piece = audio[quietest : quietest + size]
    both = np.concatenate([piece, piece[::-1]])
    return np.tile(both, -(-wanted // len(both)))[:wanted]


def joined(
    items: Iterable[Utterance], seconds: float, pause_s: float, rate: int
) -> Iterator[np.ndarray]:
    """Recordings, each with a pause after it, from the first one on again, for so long."""
    left = round(seconds * rate)
    for item in itertools.cycle(items):
        audio = item.read(rate)
        whole = np.concatenate([audio, room_noise(audio, pause_s, rate)])[:left]
        yield whole
        left -= len(whole)
        if left == 0:
            return


def cut(pieces: Iterable[np.ndarray], sizes: Iterator[int]) -> Iterator[np.ndarray]:
    """The same audio in pieces of other sizes; the last one has what is left, if anything."""
    waiting = np.zeros(0, np.float32)
    size = next(sizes, None)
    for piece in pieces:
        waiting = np.concatenate([waiting, piece])
        while size is not None and len(waiting) >= size:
            yield waiting[:size]
            waiting = waiting[size:]
            size = next(sizes, None)
    if len(waiting):
        yield waiting
