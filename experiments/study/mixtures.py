"""Groups of a study with `budgets`: a precision for each layer, found automatically.

The sensitivity of the layers of the study's `start` is measured once, on the development data,
and kept in OUTPUT/sensitivity.json, which the report shows too. The mixtures follow from it.
"""

import dataclasses
from pathlib import Path

from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.errors import UserError, require
from asr_qat.models.model_directory import Recogniser, weights_checksum
from experiments.sensitivity.assignment import assign
from experiments.sensitivity.layer_sensitivity import Sensitivity, Source, read_source
from experiments.sensitivity.measure_sensitivity import measure_sensitivity
from experiments.study.config import Group, StudyConfig


@dataclasses.dataclass(frozen=True)
class Mixture:
    """Precisions by layer.

    Attributes:
        precision: of most layers.
        overrides: of each layer, as in `QuantizationConfig`.
    """

    precision: str
    overrides: dict[str, str]


def sensitivity_file(config: StudyConfig) -> Path:
    """Where a study keeps the sensitivity of its layers."""
    return Path(config.output) / "sensitivity.json"


def measure_for(config: StudyConfig, quiet: bool = False) -> None:
    """Measure and write the sensitivity, if a group needs it and it is not there.

    Raises:
        UserError: no `start`, a file of another model, or one that lacks a precision.
    """
    wanted = _precisions(config)
    if not wanted:
        return
    require(config.start is not None, "budgets: need a float model to measure: give `start`")
    assert config.start is not None
    path = sensitivity_file(config)
    checksum = weights_checksum(config.start)
    if path.is_file():
        known = {row.precision for row in Sensitivity.load(path).rows}
        same = read_source(path).weights_sha256 == checksum
        require(
            same and wanted <= known,
            f"{path}: of another model, or other precisions: remove it to measure again",
        )
        return
    folder = PreparedFolder(config.data)
    found = measure_sensitivity(
        Recogniser.load(config.start), folder, tuple(sorted(wanted, reverse=True)), quiet=quiet
    )
    found.write(path, Source(config.start, checksum, folder.corpus["name"], "dev"))


def unmeasured(config: StudyConfig) -> list[str]:
    """Names of the groups whose mixtures are known only after the sensitivity was measured."""
    if sensitivity_file(config).is_file():
        return []
    return [name for name, group in config.groups.items() if group.budgets]


def mixtures(config: StudyConfig, group: Group) -> list[tuple[str, Mixture]]:
    """Name and precisions for each budget of a group.

    There are none before the sensitivity was measured.

    Raises:
        UserError: no budget that can be met.
    """
    path = sensitivity_file(config)
    if not path.is_file():
        return []
    measured = Sensitivity.load(path).restricted(group.precisions_by_name())
    found = []
    for budget in group.budgets:
        try:
            mixture = assign(measured, budget)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        most = next(iter(mixture.counts))
        found.append((f"mixture-{budget}", Mixture(most, mixture.overrides)))
    return found


def _precisions(config: StudyConfig) -> set[str]:
    """All that a layer may get."""
    groups = [group for group in config.groups.values() if group.budgets]
    return {name for group in groups for name in group.precisions_by_name()}
