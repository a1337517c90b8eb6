"""A target of the fuzzer with a product that does wrong, for the tests of the fuzzer."""

import os
import signal
import time

from asr_qat.errors import UserError
from experiments.fuzz.verdict import Verdict

CASES = ("same", "refused", "different", "traceback", "crash", "exit", "hang", "memory")


def prepare(folder):
    (folder / "valid").write_text("1")
    return folder / "valid"


def attempt(state, chance, folder):
    assert state.read_text() == "1" and not list(folder.iterdir())
    (folder / "changed").touch()
    what = CASES[chance.integers(len(CASES))]
    if what == "refused":
        raise UserError("changed: damaged")
    if what == "traceback":
        raise ValueError("not what a user wants to see")
    if what == "crash":
        os.write(2, b"a library says something\n")
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "exit":
        os._exit(3)
    if what == "hang":
        time.sleep(60)
    if what == "memory":
        keep = b"x" * 600_000_000
        time.sleep(60 + len(keep))
    return Verdict.DIFFERENT if what == "different" else Verdict.SAME
