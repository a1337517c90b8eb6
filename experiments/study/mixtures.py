"""Groups of a study with `budgets`: a precision for each layer, found automatically.

The sensitivity of the layers of the study's `start` is measured once, on the development data,
and kept in OUTPUT/sensitivity.json, which the report shows too. The mixtures follow from it.
"""

import dataclasses
from pathlib import Path
from typing import Any

from asr_qat import files
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.errors import UserError, require
from asr_qat.models.model_directory import Recogniser, weights_checksum
from asr_qat.provenance import provenance
from experiments.sensitivity.assignment import assign
from experiments.sensitivity.sensitivity import Sensitivity, measure_sensitivity
from experiments.study.config import Group, StudyConfig


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
        same = files.read_json(path).get("weights_sha256") == checksum
        require(
            same and wanted <= known,
            f"{path}: of another model, or other precisions: remove it to measure again",
        )
        return
    folder = PreparedFolder(config.data)
    found = measure_sensitivity(
        Recogniser.load(config.start), folder, tuple(sorted(wanted, reverse=True)), quiet=quiet
    )
    content = {
        "model": config.start,
        "weights_sha256": checksum,
        "corpus": folder.corpus["name"],
        "split": "dev",
        **dataclasses.asdict(found),
        **provenance(),
    }
    files.write_json(path, content)


def unmeasured(config: StudyConfig) -> list[str]:
    """Names of the groups whose mixtures are known only after the sensitivity was measured."""
    if sensitivity_file(config).is_file():
        return []
    return [name for name, group in config.groups.items() if group.budgets]


def mixtures(config: StudyConfig, group: Group) -> list[tuple[str, dict[str, Any]]]:
    """Name, and `precision` and `overrides` of a `QuantizationConfig`, for each budget of a group.

    The precision is that of most layers. There are none before the sensitivity was measured.

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
        values = {"precision": next(iter(mixture.counts)), "overrides": mixture.overrides}
        found.append((f"mixture-{budget}", values))
    return found


def _precisions(config: StudyConfig) -> set[str]:
    """All that a layer may get."""
    groups = [group for group in config.groups.values() if group.budgets]
    return {name for group in groups for name in group.precisions_by_name()}
