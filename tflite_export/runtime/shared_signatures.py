"""The signatures of a file for any number of threads, and for processes that fork."""

import contextlib
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

from asr_qat.arrays import Array
from asr_qat.errors import UserError
from tflite_export.runtime.signatures import Details, Signatures


class SharedSignatures:
    """`Signatures` that threads may call at the same time.

    LiteRT's interpreter holds inputs and outputs of a call inside, so that it is for one thread at
    a time. A call here has one interpreter to itself from its inputs to its outputs, and waits
    while all are taken. No call leaves anything behind for the next one: states of streams and of
    searches are inputs and outputs.

    The first interpreter is loaded at once, each further one when a call first finds none free.
    They compute with the same bytes, but each packs the weights for itself, unless it has a weight
    cache.

    A process may fork. The child goes on with the interpreters that no thread was using, or loads
    its own over the bytes that it has: if they compute in several threads, which a fork leaves
    behind, always.

    Args:
        path: of the file, for messages.
        load: makes one interpreter.
        parallel: most interpreters, and so most calls at the same time.
        threads: that each computes in.

    Raises:
        UserError: LiteRT cannot load the file; so do all methods.
    """

    def __init__(
        self, path: Path, load: Callable[[], Signatures], parallel: int = 1, threads: int = 1
    ):
        self._path, self._load = path, load
        self._parallel, self._threads = parallel, threads
        self._places = threading.Semaphore(parallel)
        self._left_behind: list[Signatures] = []
        self._free: list[Signatures] = []
        with self._one():
            pass
        _in_use.add(self)

    def names(self) -> list[str]:
        """As in `Signatures`."""
        with self._one() as one:
            return one.names()

    def inputs(self, signature: str) -> Details:
        """As in `Signatures`."""
        with self._one() as one:
            return one.inputs(signature)

    def outputs(self, signature: str) -> Details:
        """As in `Signatures`."""
        with self._one() as one:
            return one.outputs(signature)

    def run(self, signature: str, inputs: dict[str, Array]) -> dict[str, Array]:
        """As in `Signatures`."""
        with self._one() as one:
            return one.run(signature, inputs)

    @contextlib.contextmanager
    def _one(self) -> Iterator[Signatures]:
        with self._places:
            try:
                one = self._taken() or self._load()
                try:
                    yield one
                finally:
                    self._free.append(one)
            except (ValueError, RuntimeError) as error:
                raise UserError(f"{self._path}: LiteRT cannot run it: {error}") from None

    def _taken(self) -> Signatures | None:
        try:
            return self._free.pop()  # the one used last: its weights are packed
        except IndexError:
            return None

    def after_fork(self) -> None:
        """In the child, before anything else: the threads that were using some are not there."""
        self._places = threading.Semaphore(self._parallel)
        if self._threads > 1:
            # Never to be destroyed: that waits for their threads.
            self._left_behind += self._free
            self._free = []


_in_use: weakref.WeakSet[SharedSignatures] = weakref.WeakSet()


def _after_fork() -> None:
    for signatures in list(_in_use):
        signatures.after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_after_fork)
