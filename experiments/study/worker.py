"""A process that runs one cell after the other: `python -m experiments.study.worker LOG`.

It reads a line of JSON for each cell, `{"cell": ..., "fingerprint": ..., "output": ...}`, and
answers with a line, `{"name": ..., "error": null or its message, "memory_mb": ...}`. All that
TensorFlow and others print goes to LOG. When its standard input ends it stops, in the middle of
a training after a checkpoint: so it does not outlive the study.
"""

import contextlib
import ctypes
import dataclasses
import gc
import json
import os
import queue
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from asr_qat.config import from_dict
from asr_qat.errors import UserError
from asr_qat.log import show_log
from experiments.study.cells import Cell


def encode_job(cell: Cell, fingerprint: dict[str, Any], output: Path) -> str:
    """The line for a cell."""
    job = {"cell": dataclasses.asdict(cell), "fingerprint": fingerprint, "output": str(output)}
    return json.dumps(job) + "\n"


def run_job(line: str) -> dict[str, Any]:
    """Run the cell of a line; the answer has its figures or the error."""
    from tensorflow import keras

    from asr_qat.training.graph_options import keep_graphs_as_they_are
    from experiments.study.cell import run_cell

    keep_graphs_as_they_are()
    job = json.loads(line)
    cell = from_dict(Cell, job["cell"], "cell")
    answer: dict[str, Any] = {"name": cell.name, "error": None}
    print(f"== {cell.name}", flush=True)
    try:
        content = run_cell(cell, job["fingerprint"], Path(job["output"]))
        answer |= {"wer": content["wer"], "seconds": sum(content["seconds"].values())}
    except UserError as error:
        answer["error"] = str(error)
    except Exception as error:  # a cell must not stop the others
        traceback.print_exc()
        answer["error"] = f"{type(error).__name__}: {error}"
    keras.backend.clear_session()
    gc.collect()
    return answer | {"memory_mb": _memory_mb()}


def _memory_mb() -> float:
    """Memory of this process, after what is free has gone back to the system."""
    with contextlib.suppress(OSError, AttributeError):  # another C library than glibc
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    """Serve until the end of standard input."""
    show_log()
    # Ignored in what a shell script runs in the background; a worker stops by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    answers = os.fdopen(os.dup(1), "w")
    log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    jobs: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read, args=(jobs,), daemon=True).start()
    try:
        while line := jobs.get():
            answers.write(json.dumps(run_job(line)) + "\n")
            answers.flush()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    os._exit(0)  # TensorFlow's threads may keep Python from its end for minutes


def _read(jobs: queue.Queue[str]) -> None:
    for line in sys.stdin:
        jobs.put(line)
    jobs.put("")  # for a worker that waits
    os.kill(os.getpid(), signal.SIGINT)  # for one that works


if __name__ == "__main__":
    main()
