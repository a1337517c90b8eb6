"""Models whose files are damaged: bits, fields, pages, cut, longer, or under a running process.

The checksum finds all of it before anything in the file is believed, so that no damage reaches
LiteRT. Files without one, of earlier versions, are no part of this: what LiteRT does with a damaged
graph is not ours to mend.
"""

from pathlib import Path

from experiments.fuzz import models, mutations
from experiments.fuzz.models import Model
from experiments.fuzz.mutations import Chance
from experiments.fuzz.verdict import Verdict
from tflite_export.runtime.checksum import DIGEST
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score.inspect import inspect

PAGE = 4096
RUNNING = INSPECTED = 0.1  # share of cases

State = dict[str, Model]


def prepare(folder: Path) -> State:
    """A valid file of each kind."""
    return models.make(folder)


def attempt(state: State, chance: Chance, folder: Path) -> Verdict:
    """A changed file that is loaded or inspected, or one that changes while it is loaded."""
    model = state[chance.choice(models.KINDS)]
    path, changed = folder / "model.tflite", _changed(model.content, chance)
    if chance.random() < RUNNING:
        path.write_bytes(model.content)
        recogniser = TFLiteRecogniser(path)
        path.write_bytes(changed)  # in place
        return _verdict(models.answer(recogniser), model.answer)
    path.write_bytes(changed)
    if chance.random() < INSPECTED:
        inspect(path)
        return _verdict(changed, model.content)
    return _verdict(models.answer(TFLiteRecogniser(path)), model.answer)


def _verdict(found: bytes, expected: bytes) -> Verdict:
    return Verdict.SAME if found == expected else Verdict.DIFFERENT


def _changed(content: bytes, chance: Chance) -> bytes:
    kind = chance.integers(8)
    if kind < 5:
        return (
            mutations.flip,
            mutations.overwrite,
            mutations.cut,
            mutations.remove,
            mutations.insert,
        )[kind](content, chance)
    if kind == 5:  # in the head
        head, rest = content[: DIGEST.stop], content[DIGEST.stop :]
        changed = mutations.flip(mutations.overwrite(head, chance), chance)
        return changed + mutations.flip(rest, chance)
    return _page(content, chance)


def _page(content: bytes, chance: Chance) -> bytes:
    """A page of zeros, of noise, of another place, or of another file."""
    at = PAGE * int(chance.integers(-(-len(content) // PAGE)))
    other = PAGE * int(chance.integers(-(-len(content) // PAGE)))
    size = len(content[at : at + PAGE])
    pages = [bytes(size), chance.bytes(size), content[other : other + size]]
    page = pages[chance.integers(len(pages))]
    return content[:at] + page.ljust(size, b"\xff") + content[at + size :]
