"""Progress of long work: a bar on a terminal, sparse plain lines in a log file."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")

LOG_INTERVAL_S = 15.0  # seconds between lines when standard error is no terminal
_LINE = "{desc}: {n_fmt}/{total_fmt} {unit}, {rate_fmt}, {elapsed} gone, {remaining} left{postfix}"


class _Lines(tqdm):
    """Progress as whole lines, one every `LOG_INTERVAL_S` and one at the end."""

    def __init__(self, *args, **options):
        # The delay omits the line at the start, which says nothing.
        options |= {"bar_format": _LINE, "miniters": 1, "delay": 1e-9}
        super().__init__(*args, **options)

    def display(self, msg=None, pos=None):
        self.fp.write(f"{msg or self}\n")
        self.fp.flush()

    def close(self):
        if not self.disable:
            self.display()
            self.disable = True
            self._decr_instances(self)  # type: ignore[attr-defined]  # missing in the stubs


def progress(
    items: Iterable[Item],
    description: str,
    total: float | None = None,
    unit: str = "utt",
    quiet: bool = False,
) -> Iterator[Item]:
    """Iterate over `items`, showing rate and time left on standard error."""
    yield from progress_bar(description, total, unit, quiet, items)


def progress_bar(
    description: str,
    total: float | None = None,
    unit: str = "utt",
    quiet: bool = False,
    items: Iterable | None = None,
    initial: int = 0,
) -> tqdm:
    """A tqdm bar for work that is not one loop: call `.update(n)` and `.close()`.

    What was done before, `initial`, has no part in the rate.
    """
    terminal = sys.stderr.isatty()
    return (tqdm if terminal else _Lines)(
        items,
        desc=description,
        total=total,
        initial=initial,
        unit=unit,
        disable=quiet,
        dynamic_ncols=terminal,
        mininterval=0.1 if terminal else LOG_INTERVAL_S,
        maxinterval=10.0 if terminal else LOG_INTERVAL_S,
    )
