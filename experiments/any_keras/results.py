"""What `results/any_keras.json` holds."""

import dataclasses

from asr_qat.provenance import Provenance
from experiments.any_keras import architectures, example_rows, executed, step_cost
from experiments.any_keras.architectures import ArchitectureRow
from experiments.any_keras.example_rows import ExampleRow
from experiments.any_keras.executed import ExecutedRow
from experiments.any_keras.step_cost import StepRow
from experiments.targets import Row


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnyKerasResults(Provenance):
    """Keras models of any kind; a section that was not measured has no rows.

    Attributes:
        examples: worked examples, by this package and by other tools.
        architectures: published ones, with initial weights.
        steps: of training.
        executed: kinds of products in LiteRT.
        targets: what was promised of them.
    """

    examples: tuple[ExampleRow, ...] = ()
    architectures: tuple[ArchitectureRow, ...] = ()
    steps: tuple[StepRow, ...] = ()
    executed: tuple[ExecutedRow, ...] = ()
    targets: tuple[Row, ...] = ()

    def with_targets(self) -> "AnyKerasResults":
        """The same with the targets of all sections."""
        found = (
            *example_rows.targets(self.examples),
            *architectures.targets(self.architectures),
            *step_cost.targets(self.steps),
            *executed.targets(self.executed),
        )
        return dataclasses.replace(self, targets=found)
