"""The parts of an image that a convolution multiplies, one for each element of its output."""

import dataclasses
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from asr_qat.arrays import Array


@dataclasses.dataclass(frozen=True)
class Window:
    """How a kernel moves over an image.

    Attributes:
        size: of the kernel, height and width.
        stride: of its steps, down and to the right.
        same: whether the border is padded with zeros.
    """

    size: tuple[int, int]
    stride: tuple[int, int]
    same: bool

    @classmethod
    def of(cls, options: Any, weights: Any, channels: int) -> "Window":
        """That of an operator; raises `NotImplementedError` for groups and dilation."""
        if (options.dilationHFactor, options.dilationWFactor) != (1, 1) or weights[3] != channels:
            raise NotImplementedError("CONV_2D with groups or dilation")
        return cls(
            (int(weights[1]), int(weights[2])),
            (int(options.strideH), int(options.strideW)),
            options.padding == schema.Padding.SAME,
        )

    @property
    def pixelwise(self) -> bool:
        """Whether XNNPACK makes a product of matrices of it, with a scale for each pixel."""
        return self.size == self.stride == (1, 1)

    def first(self, image: Array) -> Array:
        """Of what is equal over an image `[batch, height, width, 1]`, one for each element."""
        height, width = (self.steps(n, axis) for axis, n in enumerate(image.shape[1:3]))
        if self.pixelwise:
            return image
        return np.broadcast_to(image[:, :1, :1], (len(image), height, width, 1))

    def steps(self, length: int, axis: int) -> int:
        """Elements of the output along an axis, of an image of some length."""
        free = length - 1 if self.same else length - self.size[axis]
        return free // self.stride[axis] + 1


def patches(image: Array, window: Window) -> Array:
    """`[batch, height, width, channels]` to `[batch, rows, columns, height width channels]`."""
    pads = [(0, 0)]
    for axis in (0, 1):
        length, steps = image.shape[1 + axis], window.steps(image.shape[1 + axis], axis)
        missing = max((steps - 1) * window.stride[axis] + window.size[axis] - length, 0)
        pads.append((missing // 2, missing - missing // 2) if window.same else (0, 0))
    padded = np.pad(image, [*pads, (0, 0)])
    views = np.lib.stride_tricks.sliding_window_view(padded, window.size, (1, 2))  # type: ignore[call-overload]
    down, right = window.stride
    views = views[:, ::down, ::right].transpose(0, 1, 2, 4, 5, 3)
    found: Array = views.reshape(*views.shape[:3], -1)
    return found
