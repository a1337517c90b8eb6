"""Studies of tiny models."""

from pathlib import Path

import pytest

from asr_qat.config import from_dict
from asr_qat.errors import UserError
from experiments.study.config import StudyConfig
from experiments.study.run_study import study

GROUPS = {
    "four": {"precisions": ["w4a8"], "methods": ["ptq", "native"]},
    "training_only": {"precisions": ["w4a4"], "methods": ["fake"]},
}


def configuration(data, start, root: Path, groups=None, **changes) -> StudyConfig:
    values = {
        "data": str(data),
        "start": str(start),
        "output": str(root / "results/study"),
        "work": str(root / "work"),
        "seeds": [0],
        "seconds": [1.0, 2.0],
        "training": {"steps": 2, "batches": {"batch_size": 4, "speeds": [1.0], "cache": True}},
        "groups": groups or GROUPS,
        **changes,
    }
    return from_dict(StudyConfig, values, "study.yaml")


@pytest.fixture(scope="module")
def start(float_run):
    return float_run[0].output


def cell_file(config, name) -> Path:
    return Path(config.output) / "cells" / f"{name}.json"


def written(config) -> dict[str, int]:
    """Time at which each cell was finished."""
    return {path.stem: path.stat().st_mtime_ns for path in cell_file(config, "x").parent.iterdir()}


def refusal(config, **options) -> str:
    with pytest.raises(UserError) as caught:
        study(config, quiet=True, **options)
    return str(caught.value)
