"""Configuration files: every mistake is one line that names the file and the key."""

import dataclasses
from pathlib import Path

import pytest

from asr_qat.config import from_dict, load_yaml
from asr_qat.errors import UserError
from asr_qat.training.config import TrainConfig
from asr_qat.training.schedule import ScheduleConfig

CONFIGS = sorted((Path(__file__).parent.parent / "configs").glob("*.yaml"))
NEEDED = "data: d\noutput: o\nsteps: 10\n"


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "train.yaml"
        path.write_text(text)
        return path

    return write


def refusal(path):
    with pytest.raises(UserError) as caught:
        load_yaml(path, TrainConfig)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_files_of_the_repository_are_read(path):
    assert load_yaml(path, TrainConfig).steps > 0


def test_defaults_and_nested_values(write):
    text = NEEDED + "batches: {speeds: [1.0, 1], spec_augment: null}\noptimizer: {clip_norm: 1}\n"
    config = load_yaml(write(text), TrainConfig)
    assert config == TrainConfig(
        "d",
        "o",
        10,
        batches=dataclasses.replace(config.batches, speeds=(1.0, 1.0), spec_augment=None),
        optimizer=dataclasses.replace(config.optimizer, clip_norm=1.0),
    )
    assert type(config.optimizer.clip_norm) is float
    assert config.optimizer.schedule == ScheduleConfig()
    assert config.quantization is None


def test_a_configuration_is_read_back_from_its_dictionary(write):
    config = load_yaml(write(NEEDED + "quantization: {overrides: {ctc: w8a8}}\n"), TrainConfig)
    assert from_dict(TrainConfig, dataclasses.asdict(config), "again") == config
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.steps = 3


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("stepz: 3\n", "unknown key 'stepz': did you mean 'steps'?"),
        ("batches: {batchsize: 3}\n", "batches: unknown key 'batchsize': did you mean 'batch_s"),
        ("zzz: 3\n", "unknown key 'zzz': known: data, output, steps"),
        ("3: 3\n", "unknown key '3'"),
        ("seed: one\n", "seed: 'one' is not of type int"),
        ("seed: 1.5\n", "seed: 1.5 is not of type int"),
        ("seed: true\n", "seed: True is not of type int"),
        ("seed: false\n", "seed: False is not of type int"),
        ("seed: null\n", "seed: None is not of type int"),
        ("optimizer: {clip_norm: yes}\n", "optimizer: clip_norm: True is not of type float"),
        ("optimizer: {schedule: {peak: 1e-3x}}\n", "optimizer: schedule: peak: '1e-3x'"),
        ("batches: {speeds: 1.0}\n", "batches: speeds: 1.0 is not of type"),
        ("batches: {speeds: [1.0, fast]}\n", "batches: speeds[1]: 'fast' is not of type float"),
        ("batches: 4\n", "batches: expected keys and values, found 4"),
        ("keep: first\n", "keep: 'first' is not one of best, last"),
        ("quantization: {precision: w9}\n", "quantization: precision 'w9': expected float"),
        ("quantization: {overrides: [a]}\n", "quantization: overrides: ['a'] is not of type"),
    ],
)  # fmt: skip
def test_mistakes(write, text, complaint):
    path = write(NEEDED + text)
    assert complaint in refusal(path)


@pytest.mark.parametrize("number", ["1e-3", "1E-3", "0.001", "1.0e-3", ".001"])
def test_numbers_with_an_exponent(write, number):
    text = NEEDED + f"optimizer: {{schedule: {{peak: {number}}}}}\n"
    assert load_yaml(write(text), TrainConfig).optimizer.schedule.peak == 0.001


@pytest.mark.parametrize("missing", ["data", "output", "steps"])
def test_missing_keys(write, missing):
    kept = "".join(line + "\n" for line in NEEDED.splitlines() if missing not in line)
    assert f"key '{missing}' is missing" in refusal(write(kept))


@pytest.mark.parametrize("text", ["a: [1\n", "a: b: c\n", "\t- x", "{"])
def test_bad_yaml(write, text):
    assert "not valid YAML" in refusal(write(text))


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "word"])
def test_no_keys_and_values(write, text):
    expected = "is missing" if not text else "expected keys and values"
    assert expected in refusal(write(text))


def test_missing_file(tmp_path):
    assert "no such configuration file" in refusal(tmp_path / "none.yaml")


def test_file_that_is_not_text(tmp_path):
    path = tmp_path / "model.yaml"
    path.write_bytes(b"\xff\xfe\x00\x01")
    assert "not valid YAML" in refusal(path)


def test_unknown_preset():
    config = from_dict(TrainConfig, {"data": "d", "output": "o", "steps": 1, "preset": "XL"}, "x")
    with pytest.raises(UserError, match="preset: 'XL' is not one of tiny, S, M, L"):
        config.encoder_config()
