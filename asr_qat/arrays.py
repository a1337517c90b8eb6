"""The type of numpy arrays in signatures; docstrings give their numbers and shape."""

from typing import Any, TypeAlias

from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
