"""What a run says once, or a few times, however often it happens.

A corpus of a hundred thousand stereo recordings is mixed down with one line, not as many.
"""

import collections
import logging

_LOGGER = logging.getLogger(__name__)
_SAID: collections.Counter[str] = collections.Counter()


def notice(kind: str, message: str, most: int = 1) -> None:
    """Warn of something that was done to the input, unless it was said before.

    Args:
        kind: what is counted together.
        message: one line that names an instance and what is done.
        most: how many instances are named.
    """
    _SAID[kind] += 1
    if _SAID[kind] <= most:
        last = " (others are not named)" if _SAID[kind] == most else ""
        _LOGGER.warning("%s%s", message, last)


def forget() -> None:
    """Begin a new run: everything is said again."""
    _SAID.clear()
