"""Groups of a study whose mixtures are found automatically."""

import dataclasses
import json
import pickle

import pytest

from asr_qat.config import from_dict
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.errors import UserError
from asr_qat.models.model_config import ModelConfig
from asr_qat.models.model_directory import Recogniser
from experiments.sensitivity.assignment import assign
from experiments.sensitivity.layer_sensitivity import LayerSensitivity, Sensitivity
from experiments.study.config import StudyConfig
from experiments.study.mixtures import measure_for, sensitivity_file, unmeasured
from experiments.study.planned_cells import expand
from experiments.study.scheme import describe
from tests.training_fixtures import ENCODER

MIXTURE = {"budgets": ["w4a8", "6x"], "precisions": ["w8a8", "w4a8", "w2a8"]}
BYTES = {"w8a8": 100, "w4a8": 50, "w2a8": 25}
HARM = {"w8a8": 0.0, "w4a8": 0.1, "w2a8": 0.3}


def configuration(folder, group=None, **changes) -> StudyConfig:
    values = {
        "data": "data",
        "output": str(folder / "results/study"),
        "work": str(folder / "work"),
        "start": "start",
        "seeds": [0],
        "training": {"steps": 5},
        "groups": {"mixture": MIXTURE | (group or {})},
        **changes,
    }
    return from_dict(StudyConfig, values, "study.yaml")


@pytest.fixture
def sensitivity(tmp_path) -> Sensitivity:
    """Four layers of equal size, the last ones much more sensitive, in the study's file."""
    rows = tuple(
        LayerSensitivity(layer, name, BYTES[name], 0.0, HARM[name] * 10**index)
        for index, layer in enumerate(("a", "b", "c", "d"))
        for name in BYTES
    )
    made = Sensitivity(1.0, 9, 4 * 400 + 8, 8, rows)
    path = sensitivity_file(configuration(tmp_path))
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(dataclasses.asdict(made)))
    return made


def test_a_cell_for_each_budget(tmp_path, sensitivity):
    baseline, *cells = expand(configuration(tmp_path))
    assert baseline.method == "float"
    assert [cell.name for cell in cells] == [
        "mixture-w4a8_native_s5_seed0",
        "mixture-6x_native_s5_seed0",
    ]
    for cell, budget in zip(cells, MIXTURE["budgets"], strict=True):
        assert cell.quantization.overrides == assign(sensitivity, budget).overrides
        assert cell.training.quantization == cell.quantization
        assert describe(cell.quantization).weights is None  # mixed
        assert pickle.loads(pickle.dumps(cell)) == cell  # on its way to a worker
    assert cells[0].quantization.overrides == {
        "^a$": "w2a8", "^b$": "w2a8", "^c$": "w4a8", "^d$": "w8a8",
    }  # fmt: skip
    assert cells[0].quantization.precision == "w2a8"  # that of most


def test_a_budget_of_bytes(tmp_path, sensitivity):
    _, number, text = expand(configuration(tmp_path, {"budgets": [200, "199"]}))
    assert number.name == "mixture-200_native_s5_seed0"
    assert number.quantization.overrides == assign(sensitivity, 200).overrides
    assert text.name == "mixture-199_native_s5_seed0"


def test_precisions_of_the_group_alone(tmp_path, sensitivity):
    _, cell = expand(configuration(tmp_path, {"budgets": ["w4a8"], "precisions": ["w8a8", "w4a8"]}))
    assert set(cell.quantization.overrides.values()) == {"w4a8"}
    with pytest.raises(UserError, match="w3a8 was not measured: there are"):
        expand(configuration(tmp_path, {"precisions": ["w3a8"]}))


def test_own_overrides_go_first(tmp_path, sensitivity):
    _, cell, _ = expand(configuration(tmp_path, {"quantization": {"overrides": {"d": "float"}}}))
    assert next(iter(cell.quantization.overrides)) == "d"
    assert cell.quantization.registry().precision("d") is None
    assert cell.name == "mixture-w4a8+mixture_native_s5_seed0"


def test_what_is_refused(tmp_path, sensitivity):
    with pytest.raises(UserError, match=r"sensitivity.json: budget 90x: .* are not enough"):
        expand(configuration(tmp_path, {"budgets": ["90x"]}))
    with pytest.raises(UserError, match="give `start`"):
        measure_for(configuration(tmp_path, start=None))


def test_before_the_measurement_all_cells_but_the_mixtures_are_known(tmp_path):
    groups = {"mixture": MIXTURE, "uniform": {"precisions": ["w4a8"]}}
    config = configuration(tmp_path, groups=groups)
    assert [cell.name for cell in expand(config)] == ["float_s5_seed0", "w4a8_native_s5_seed0"]
    assert unmeasured(config) == ["mixture"]


def test_no_budgets_no_measurement(tmp_path):
    measure_for(configuration(tmp_path, {"budgets": []}, start=None))
    assert not sensitivity_file(configuration(tmp_path)).exists()


@pytest.mark.slow
def test_measured_once_for_a_model(tmp_path, prepared_folder):
    folder, start = PreparedFolder(prepared_folder), tmp_path / "start"
    made = Recogniser.create(
        ModelConfig(ENCODER), folder.tokenizer, folder.stats.mean, folder.stats.std
    )
    made.save(start)
    budgets = {"budgets": ["w4a8", "5x"]}
    config = configuration(tmp_path, budgets, data=str(prepared_folder), start=str(start))
    measure_for(config, quiet=True)
    path = sensitivity_file(config)
    first = path.read_text()
    measure_for(config, quiet=True)
    assert path.read_text() == first
    found = Sensitivity.load(path)
    assert {row.precision for row in found.rows} == set(MIXTURE["precisions"])
    assert len(expand(dataclasses.replace(config, seeds=(0, 1)))) == 2 * 3
    more = configuration(
        tmp_path, {"precisions": ["w8a8", "w3a8"]}, data=config.data, start=config.start
    )
    with pytest.raises(UserError, match="other precisions: remove it to measure again"):
        measure_for(more, quiet=True)
    bias = made.model.get_layer("ctc_output").bias
    bias.assign_add(bias + 1.0)
    made.save(start)
    with pytest.raises(UserError, match="of another model"):
        measure_for(config, quiet=True)
