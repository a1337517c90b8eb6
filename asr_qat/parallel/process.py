"""How a worker process of this machine begins, and that it ends with its parent."""

import multiprocessing
import os
import signal
import threading

SPAWN = multiprocessing.get_context("spawn")  # TensorFlow's threads do not survive a fork
# One thread a worker: there are as many workers as cores, and a sum must not depend on them.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")


def limit_threads() -> None:
    """One thread, of libraries that are loaded from now on."""
    os.environ.update(dict.fromkeys(THREADS, "1"))


def begin_worker() -> None:
    """In a new process, before it imports numpy: one thread, and no life without the parent.

    An interrupt on the terminal reaches all processes: a worker ends at once, without a word,
    and the parent says what there is to say.
    """
    limit_threads()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGINT)
