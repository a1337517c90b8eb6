"""The symbols that the normaliser of a prepared folder has dropped, as its shards report them."""

import collections
import itertools
from collections.abc import Iterable
from typing import Any

SHOWN = 8  # symbols in a sentence
EXAMPLE_CHARACTERS = 60


class DroppedSymbols:
    """Counts them, each with the first text that it stands in."""

    def __init__(self) -> None:
        """Nothing was dropped yet."""
        self._times: collections.Counter[str] = collections.Counter()
        self._examples: dict[str, str] = {}

    def add(self, times: dict[str, int], example: str) -> None:
        """Count symbols of a text, or of a report."""
        self._times.update(times)
        for symbol in times:
            self._examples.setdefault(symbol, example)

    def to_json(self) -> dict[str, Any]:
        """By symbol, the most frequent first: `times` and `example`."""
        return {
            symbol: {"times": times, "example": self._examples[symbol]}
            for symbol, times in self._times.most_common()
        }


def total(reports: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Those of all shards, see `DroppedSymbols.to_json`; of some older reports nothing is known."""
    found = DroppedSymbols()
    for report in reports:
        for symbol, facts in report.get("dropped_symbols", {}).items():
            found.add({symbol: facts["times"]}, facts["example"])
    return found.to_json()


def sentence(dropped: dict[str, Any], normalizer: str) -> str:
    """What to say of them.

    Args:
        dropped: see `total`; not empty.
        normalizer: name of that which dropped them.
    """
    first = itertools.islice(dropped.items(), SHOWN)
    counts = ", ".join(f"{symbol} {facts['times']:,}" for symbol, facts in first)
    counts += ", ..." * (len(dropped) > SHOWN)
    example = next(iter(dropped.values()))["example"]
    if len(example) > EXAMPLE_CHARACTERS:
        example = f"{example[:EXAMPLE_CHARACTERS]}…"
    return (
        f"normaliser {normalizer} drops symbols that may be spoken ({counts}), such as in "
        f"{example!r}: spell them out, or prepare with --normalizer verbatim"
    )
