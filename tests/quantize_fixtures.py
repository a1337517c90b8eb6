"""Per-channel integers and scales, as most tests want them."""

import tensorflow as tf

from asr_qat.quantize.grids import Grid, grid_of, on_grid
from asr_qat.quantize.precision import Precision


def quantize_channels(weights, bits: int):
    """Symmetric integers `[input, output]` of the plain grid, and its scales `[output]`."""
    precision, weights = Precision(bits), tf.convert_to_tensor(weights)
    grid = grid_of(weights, precision)
    return on_grid(weights, grid, precision), grid.scale[0]


def channel_grid(scale) -> Grid:
    """The grid with these scales `[output]`."""
    return Grid(tf.convert_to_tensor(scale)[None])
