"""AdaRound: for each weight the value below it or that above it, by the error of the outputs.

Nagel et al., 2020, arXiv 2004.10568. The choice is a number `h` from 0, below, to 1, above, that is
learned by gradient descent and in the end driven to either side:

    e' H e + weight * sum (1 - |2 h - 1|^sharpness),  e = low + (high - low) h - w

with the moment `H = mean(x x')` of the inputs, so that no data is needed on the way. `h` is a
sigmoid that is stretched beyond 0 and 1 and clipped, and reaches both.
"""

import numpy as np

from asr_qat.arrays import Array

STEPS = 500
RATE = 0.05  # of Adam
FREE = 0.2  # share of the steps before anything is driven to a side
WEIGHT = 0.1
SHARPNESS = (20.0, 2.0)  # first and last: those that are nearly decided go first
BELOW, ABOVE = -0.1, 1.1  # ends of the sigmoid
DECAY, SQUARE_DECAY, EPSILON = 0.9, 0.999, 1e-8  # of Adam


def learned_rounding(weights: Array, low: Array, high: Array, moment: Array) -> Array:
    """Whether each weight is rounded up: bool `[input, output]`.

    Args:
        weights: float `[input, output]`.
        low: the value below each; where it is that above, too, there is nothing to choose.
        high: the value above each.
        moment: float `[input, input]`, of the inputs.
    """
    gap = high - low
    step = np.maximum(gap.max(axis=0), np.finfo(np.float32).tiny)  # of each output's grid
    inputs = (moment / np.mean(np.diag(moment))).astype(np.float32)
    gap, off = ((each / step).astype(np.float32) for each in (gap, low - weights))
    share = np.clip(-off / np.where(gap > 0, gap, 1), 0.01, 0.99)
    logits = np.log((share - BELOW) / (ABOVE - share))
    mean, square = np.zeros_like(logits), np.zeros_like(logits)
    for number in range(STEPS):
        sigmoid = 1 / (1 + np.exp(-logits))
        h = np.clip(BELOW + (ABOVE - BELOW) * sigmoid, 0, 1)
        slope = 2 * gap * (inputs @ (off + gap * h)) + _drive(h, number / STEPS)
        slope *= (ABOVE - BELOW) * sigmoid * (1 - sigmoid) * ((h > 0) & (h < 1))
        mean += (1 - DECAY) * (slope - mean)
        square += (1 - SQUARE_DECAY) * (slope**2 - square)
        unbiased = square / (1 - SQUARE_DECAY ** (number + 1))
        logits -= RATE * mean / (1 - DECAY ** (number + 1)) / (np.sqrt(unbiased) + EPSILON)
    up: Array = h >= 0.5
    return up


def _drive(h: Array, done: float) -> Array | float:
    """The slope of the second term when a share of the steps is done."""
    if done < FREE:
        return 0.0
    first, last = SHARPNESS
    sharpness = last + (first - last) * (1 - (done - FREE) / (1 - FREE))
    centred = 2 * h - 1
    slope: Array = -WEIGHT * 2 * sharpness * np.sign(centred) * np.abs(centred) ** (sharpness - 1)
    return slope
