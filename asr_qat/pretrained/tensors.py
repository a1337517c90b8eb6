"""The tensors of a checkpoint, read one at a time, each of them accounted for."""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import numpy as np

from asr_qat.errors import UserError


class Checkpoint(Protocol):
    """Tensors by name, whatever the format of the file."""

    @property
    def where(self) -> str:
        """The file, for messages."""

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every tensor by name, without reading any."""

    def read(self, name: str) -> np.ndarray:
        """One tensor, bfloat16 as float32.

        Raises:
            UserError: the file is damaged.
        """


class Renamed:
    """A `Checkpoint` whose tensors have other names.

    Args:
        checkpoint: with the names of its own.
        names: the new name by the own one; tensors without keep theirs.
    """

    def __init__(self, checkpoint: Checkpoint, names: Mapping[str, str]):
        self._checkpoint = checkpoint
        self._own = {names.get(own, own): own for own in checkpoint.shapes()}

    @property
    def where(self) -> str:
        """As in `Checkpoint`."""
        return self._checkpoint.where

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """As in `Checkpoint`."""
        shapes = self._checkpoint.shapes()
        return {name: shapes[own] for name, own in self._own.items()}

    def read(self, name: str) -> np.ndarray:
        """As in `Checkpoint`."""
        return self._checkpoint.read(self._own[name])


class TensorTaker:
    """Takes tensors of known shapes from a checkpoint, and knows which ones nobody took.

    Args:
        checkpoint: where they are.
        taken: called after each tensor.
    """

    def __init__(self, checkpoint: Checkpoint, taken: Callable[[], object] = lambda: None):
        self._checkpoint = checkpoint
        self._shapes = checkpoint.shapes()
        self._left = set(self._shapes)
        self._taken = taken

    @property
    def where(self) -> str:
        """The file, for messages."""
        return self._checkpoint.where

    def has(self, name: str) -> bool:
        """Whether there is such a tensor."""
        return name in self._shapes

    def take(self, name: str, *shape: int) -> np.ndarray:
        """The tensor, float64: what is computed of it is rounded once, at the end.

        Raises:
            UserError: there is none of this name and shape, or it is damaged.
        """
        found = self._shapes.get(name)
        if found is None:
            raise UserError(f"{self.where}: no tensor {name}: not the network of its configuration")
        if found != shape:
            raise UserError(
                f"{self.where}: tensor {name} has the shape {list(found)}, "
                f"its configuration makes it {list(shape)}"
            )
        values = self._checkpoint.read(name).astype(np.float64)
        if not np.isfinite(values).all():
            raise UserError(f"{self.where}: tensor {name} holds values that are not numbers")
        self._left.discard(name)
        self._taken()
        return values

    def take_or_zeros(self, name: str, *shape: int) -> np.ndarray:
        """The same, or zeros where the network has no such bias."""
        return self.take(name, *shape) if self.has(name) else np.zeros(shape)

    def skip(self, names: Iterable[str]) -> None:
        """Leave tensors out that change nothing."""
        for name in names:
            self._left.discard(name)
            self._taken()

    @property
    def left(self) -> list[str]:
        """The names of the tensors that nobody took."""
        return sorted(self._left)

    def finish(self) -> None:
        """Raise `UserError` if a tensor is left."""
        if self._left:
            more = f" and {len(self._left) - 1} others" if len(self._left) > 1 else ""
            raise UserError(
                f"{self.where}: tensor {self.left[0]}{more}: belongs to no layer that is known "
                "here: the network has parts that cannot be imported"
            )
