"""The process that runs cases; a case may end it, or never end."""

import faulthandler
import importlib
import os
import resource
import shutil
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from asr_qat.errors import UserError
from experiments.fuzz.outcome import Kind, Outcome
from experiments.fuzz.verdict import Verdict

OUTPUT = "output"  # what the process and its libraries print, for the watcher
READY = "ready"
STACK_AT = 0.8  # of the time limit: where a case is then goes to the output


def serve(module: str, seed: int, folder: Path, limit_s: float, connection: Connection) -> None:
    """Make the valid inputs of a target, then run the case of each number that arrives.

    Sends `READY` or what went wrong before, and then an `Outcome` for each number.

    Args:
        module: of the target.
        seed: of all cases.
        folder: for inputs and output, empty.
        limit_s: seconds after which the watcher gives up on a case.
        connection: to the watcher; None on it ends the process.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    output = os.open(folder / OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    faulthandler.enable()
    try:
        target = importlib.import_module(module)
        inputs = folder / "inputs"
        inputs.mkdir()
        state = target.prepare(inputs)
    except BaseException:  # whatever it is: the watcher ends
        connection.send(traceback.format_exc())
        return
    connection.send(READY)
    while (number := connection.recv()) is not None:
        os.ftruncate(output, 0)
        faulthandler.dump_traceback_later(STACK_AT * limit_s)
        outcome = _case(target, state, seed, number, folder / "case")
        faulthandler.cancel_dump_traceback_later()
        connection.send(outcome)


def _case(target: ModuleType, state: Any, seed: int, number: int, folder: Path) -> Outcome:
    chance = np.random.default_rng([seed, number])
    folder.mkdir()
    try:
        verdict = target.attempt(state, chance, folder)
        return Outcome(number, Kind(Verdict(verdict).value))
    except UserError as error:
        return Outcome(number, Kind.REFUSED, str(error))
    except BaseException:  # a SystemExit is as unexpected
        return Outcome(number, Kind.TRACEBACK, traceback.format_exc())
    finally:
        shutil.rmtree(folder)
