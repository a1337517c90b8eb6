"""Values in and out of the integer tensors of a signature."""

from typing import Any

import numpy as np

from asr_qat.arrays import Array


def quantized(values: Array, detail: dict[str, Any]) -> Array:
    """The integers of a tensor for float values, as LiteRT's QUANTIZE computes them.

    Args:
        values: float32.
        detail: the interpreter's, of a tensor with one scale and zero point.
    """
    scale, zero_point = detail["quantization"]
    limits = np.iinfo(detail["dtype"])
    integers = np.rint(values * (np.float32(1) / np.float32(scale))) + zero_point
    rounded: Array = np.clip(integers, limits.min, limits.max).astype(detail["dtype"])
    return rounded


def dequantized(integers: Array, detail: dict[str, Any]) -> Array:
    """The float32 values of a tensor's integers."""
    scale, zero_point = detail["quantization"]
    values: Array = (integers.astype(np.float32) - zero_point) * np.float32(scale)
    return values
