"""The rows of `results/house.json`."""

import dataclasses
from typing import Any

from asr_qat.provenance import Provenance
from experiments.targets import Row


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeasuredRow(Row):
    """A row of the file: `commit` is that of the code it was measured with."""

    commit: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class HouseResults(Provenance):
    """What `results/house.json` holds; the provenance is that of the rows measured last.

    Attributes:
        targets: the rows.
        slowest_tests: name and seconds of the slowest tests of `make test`.
    """

    targets: tuple[MeasuredRow, ...]
    slowest_tests: tuple[tuple[Any, ...], ...]
