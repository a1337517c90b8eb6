"""What is kept of the worked examples, and what was promised of them."""

import dataclasses

from examples.any_keras.score import FileRow
from examples.any_keras.workflow import FLOAT, INT4
from experiments.targets import Row, at_least, at_most, not_worse

TFMOT = "tfmot 8-bit QAT"
LEAST_SMALLER = 5.5  # than the float file, at 4 bits
MOST_OF_TFMOT = 0.6  # of its bytes, at 4 bits


@dataclasses.dataclass(frozen=True)
class StreamRow:
    """A stream of steps beside whole clips, of one file with a signature for each.

    Attributes:
        bytes: of the file, at 4 bits.
        clips: that were compared.
        difference: the largest of a logit after the last step to that of the clip.
        range: of the logits, the largest absolute value.
    """

    bytes: int
    clips: int
    difference: float
    range: float


@dataclasses.dataclass(frozen=True)
class ExampleRow:
    """An example.

    Attributes:
        name: of the example.
        trained: examples in training.
        tested: examples in the test.
        parameters: of the float model.
        files: ours first, then those of the other tools; all beside the first one.
        left_by_tfmot: layers with weights that its 8 bits do not know.
        failures: why another tool has no row, by its name.
        streaming: of the keyword spotter.
        commit: of the code that measured it.
    """

    name: str
    trained: int
    tested: int
    parameters: int
    files: tuple[FileRow, ...]
    left_by_tfmot: tuple[str, ...]
    failures: dict[str, str]
    commit: str
    streaming: StreamRow | None = None

    def file(self, name: str) -> FileRow | None:
        """The row of a file, or None."""
        return next((row for row in self.files if row.name == name), None)


def targets(rows: tuple[ExampleRow, ...]) -> tuple[Row, ...]:
    """What was promised of the examples."""
    found = []
    for row in rows:
        whole, int4, tfmot = (row.file(name) for name in (FLOAT, INT4, TFMOT))
        assert whole is not None and int4 is not None
        found.append(not_worse(f"{row.name}: int4 native QAT to float", int4.verdict))
        smaller = whole.bytes / int4.bytes
        found.append(at_least(f"{row.name}: int4 smaller than float", smaller, LEAST_SMALLER))
        if tfmot is not None:
            share = int4.bytes / tfmot.bytes
            found.append(at_most(f"{row.name}: int4 bytes of tfmot's int8", share, MOST_OF_TFMOT))
    return tuple(found)
