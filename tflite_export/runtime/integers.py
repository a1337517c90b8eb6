"""Values in and out of the integer tensors of a signature."""

from typing import Any

import numpy as np


def quantized(values: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    """The integers of a tensor for float values, as LiteRT's QUANTIZE computes them.

    Args:
        values: float32.
        detail: the interpreter's, of a tensor with one scale and zero point.
    """
    scale, zero_point = detail["quantization"]
    limits = np.iinfo(detail["dtype"])
    integers = np.rint(values * (np.float32(1) / np.float32(scale))) + zero_point
    return np.clip(integers, limits.min, limits.max).astype(detail["dtype"])


def dequantized(integers: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    """The float32 values of a tensor's integers."""
    scale, zero_point = detail["quantization"]
    return (integers.astype(np.float32) - zero_point) * np.float32(scale)
