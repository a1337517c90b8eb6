"""What `python -m experiments.runtimes` finds."""

import dataclasses
from collections.abc import Iterable

from asr_qat.provenance import Provenance
from experiments.runtimes.install import LITERT
from experiments.targets import Row, equal
from tflite_export.runtime.least_runtime import number

SAME_SHARE = 1e-5  # of a product's range: the order in which floats are summed
SAME, DIFFERS, REFUSED, CRASHES, NONE = "same", "differs", "refused", "crashes", "not there"
INTERPRETER, COMPILED = "interpreter", "compiled"


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileRow:
    """The files of a precision in a runtime: one product alone, and a whole model.

    Attributes:
        package: `ai-edge-litert`, `tflite-runtime` or `tensorflow`.
        version: of it.
        interface: `interpreter`, or `compiled`, LiteRT's `CompiledModel`.
        precision: of the files, by name.
        least: the LiteRT that they ask for.
        outcome: `same` or `differs`, of the product; `refused` or `crashes`, of either file; or
            `not there`, of the interface.
        product: the largest difference of one product from the reference, as a share of its
            range; None if a file does not run.
        model: the same of the logits of the whole model, where a last bit may push an activation
            of 8 bits over a rounding edge, and all that follows.
        message: why a file does not run, one line.
    """

    package: str
    version: str
    interface: str
    precision: str
    least: str
    outcome: str
    product: float | None = None
    model: float | None = None
    message: str | None = None

    @property
    def promised(self) -> bool:
        """Whether the file says that it runs there."""
        return self.package == LITERT and number(self.version) >= number(self.least)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LeastRow:
    """The least LiteRT of a precision.

    Attributes:
        precision: by name.
        written: into the file.
        measured: the oldest from which on interpreter and `CompiledModel`, where it is there,
            compute the same products; None if not even the newest does.
    """

    precision: str
    written: str
    measured: str | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class RuntimesResults(Provenance):
    """Files of one model at several precisions in several runtimes.

    Attributes:
        model: directory of the float model.
        reference: version of LiteRT whose interpreter's outputs the others are compared with.
        rows: all pairs.
        least: of each precision.
        targets: what was promised.
    """

    model: str
    reference: str
    rows: tuple[FileRow, ...]
    least: tuple[LeastRow, ...] = ()
    targets: tuple[Row, ...] = ()

    def with_targets(self) -> "RuntimesResults":
        """The same with what follows from the rows."""
        least = tuple(_least(self.rows))
        return dataclasses.replace(self, least=least, targets=_targets(self.rows, least))


def _least(rows: Iterable[FileRow]) -> Iterable[LeastRow]:
    own = [row for row in rows if row.package == LITERT and row.outcome != NONE]
    for precision in dict.fromkeys(row.precision for row in own):
        found = [row for row in own if row.precision == precision]
        measured = None
        for version in sorted({row.version for row in found}, key=number, reverse=True):
            if any(row.outcome != SAME for row in found if row.version == version):
                break
            measured = version
        yield LeastRow(precision=precision, written=found[0].least, measured=measured)


def _targets(rows: tuple[FileRow, ...], least: tuple[LeastRow, ...]) -> tuple[Row, ...]:
    found = []
    for interface, name in ((INTERPRETER, "interpreter"), (COMPILED, "CompiledModel")):
        own = [row for row in rows if row.interface == interface and row.promised]
        wrong = sum(row.outcome not in (SAME, NONE) for row in own)
        name = f"{name}: of {len(own)} pairs that the files allow, those that are not the same"
        found.append(equal(name, wrong, 0))
    dated = sum(row.written == row.measured for row in least)
    name = f"precisions of {len(least)} whose least LiteRT is the measured one"
    silent = [row for row in rows if row.outcome not in (SAME, DIFFERS)]
    lines = sum(bool(row.message) and "\n" not in str(row.message) for row in silent)
    name_of_lines = f"of {len(silent)} pairs that do not run, those with one line why"
    return (*found, equal(name, dated, len(least)), equal(name_of_lines, lines, len(silent)))
