"""How many cores this process may use."""

import os


def usable_cores() -> int:
    """Those that the system gives the process; all that there are where it does not say."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
