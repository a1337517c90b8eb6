"""What is done to commands: kills, a second writer, damaged pages."""

import shutil
import time
from pathlib import Path

import numpy as np

from asr_qat import lock
from experiments.drills.drill import Ground, Outcome
from experiments.drills.instances import BY_NAME, Command
from experiments.drills.process import Kill, Started

PAGE = 4096  # bytes
LOCKS = {"prepare": "data/.lock", "train": "model/.lock", "convert": ".x.tflite.lock"}


def killed(ground: Ground, command: Command, chance: np.random.Generator) -> Outcome:
    """Kill the command at a random point, and run it again."""
    kill = Kill.drawn(chance, ground.whole(command))
    folder = ground.new_folder(command)
    Started(ground.words(command), folder, kill).wait()
    return ground.outcome(command, folder, Started(ground.words(command), folder).wait())


def second_writer(ground: Ground, command: Command, chance: np.random.Generator) -> Outcome:
    """Begin the command a second time while it runs: it waits, or is told of the first one."""
    seconds = ground.whole(command).seconds
    folder = ground.new_folder(command)
    first = Started(ground.words(command), folder)
    held = folder / LOCKS[command.name]
    while not held.exists() and _runs(first):
        time.sleep(0.001)
    time.sleep(float(chance.uniform(0, seconds / 2)))
    log = folder.with_name("second.log")
    second = Started(ground.words(command), folder, before=_impatient, log=log).wait()
    if second.code not in (0, 1) or (second.code == 1 and not second.in_one_line):
        first.wait()
        return Outcome(False, False, problem=second.said[-1000:])
    return ground.outcome(command, folder, first.wait())


def damaged_shard(ground: Ground, chance: np.random.Generator) -> Outcome:
    """Damage a page of a shard, and train on it: it is refused, or makes no difference."""
    command = BY_NAME["train"]
    folder = ground.new_folder(command)
    data = folder.with_name("damaged")
    shutil.rmtree(data, ignore_errors=True)
    shutil.copytree(ground.inputs / "data", data)
    shards = sorted((*data.glob("train-*.tfrecord"), *data.glob("dev-*.tfrecord")))
    _damage(shards[chance.integers(len(shards))], chance)
    words = ground.words(command).replace(str(ground.inputs / "data"), str(data))
    return ground.outcome(command, folder, Started(words, folder).wait())


def damaged_file(ground: Ground, chance: np.random.Generator) -> Outcome:
    """Damage a page of a `.tflite`, and score it: it is refused, or the texts are the same."""
    command = BY_NAME["evaluate"]
    folder = ground.new_folder(command)
    _damage(folder / "tones.tflite", chance)
    ended = Started(ground.words(command), folder).wait()
    if ended.code != 0:
        refused = ended.in_one_line
        return Outcome(False, refused, problem=None if refused else ended.said[-1000:])
    texts = "tones.tflite.hypotheses.jsonl"
    same = (folder / texts).read_bytes() == (ground.reference(command) / texts).read_bytes()
    return Outcome(same, False, problem=None if same else "other texts, and nothing is said")


def _damage(path: Path, chance: np.random.Generator) -> None:
    """Overwrite a page of a file with random bytes, or with zeros."""
    content = bytearray(path.read_bytes())
    start = PAGE * int(chance.integers(-(-len(content) // PAGE)))
    size = len(content[start : start + PAGE])
    zeros = chance.random() < 0.5
    content[start : start + size] = bytes(size) if zeros else chance.bytes(size)
    path.write_bytes(content)


def _runs(started: Started) -> bool:
    return Path(f"/proc/{started.pid}/cmdline").read_bytes() != b""


def _impatient() -> None:
    """In the child: it does not wait long for the first one to end."""
    lock.PATIENCE_S = 0.2
