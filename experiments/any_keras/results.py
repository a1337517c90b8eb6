"""What `results/any_keras.json` holds."""

import dataclasses

from asr_qat.provenance import Provenance
from experiments.any_keras import example_rows
from experiments.any_keras.example_rows import ExampleRow
from experiments.targets import Row


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnyKerasResults(Provenance):
    """Keras models of any kind; a section that was not measured has no rows.

    Attributes:
        examples: worked examples, by this package and by other tools.
        targets: what was promised of them.
    """

    examples: tuple[ExampleRow, ...] = ()
    targets: tuple[Row, ...] = ()

    def with_targets(self) -> "AnyKerasResults":
        """The same with the targets of all sections."""
        return dataclasses.replace(self, targets=example_rows.targets(self.examples))
