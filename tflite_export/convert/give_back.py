"""Memory that is no longer used, given back to the system."""

import ctypes
import gc
import sys


def give_back_memory() -> None:
    """Free what is only kept by cycles, as Keras models are, and return it to the system.

    The C library of Linux keeps what was freed, in pieces that large weights do not fit.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
