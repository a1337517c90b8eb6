"""Configuration files: every mistake is one line that names the file and the key."""

import argparse
import dataclasses
import re
from pathlib import Path

import pytest

from asr_qat.audio.front_end import FrontEndConfig
from asr_qat.commands.arguments import add_configuration
from asr_qat.config import from_dict, load_yaml, override
from asr_qat.errors import UserError
from asr_qat.training.config import TrainConfig
from asr_qat.training.schedule import ScheduleConfig
from experiments.study.config import StudyConfig

CONFIGS = [
    path
    for path in sorted((Path(__file__).parent.parent / "configs").glob("*.yaml"))
    if not path.stem.startswith("study_")  # they hold several trainings: see test_study_cells
]
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


def test_options_override_the_file(write):
    config = load_yaml(write(NEEDED + "seed: 3\n"), TrainConfig)
    changed = override(config, data="other", steps=None, seed=0)
    assert changed == TrainConfig("other", "o", 10, seed=0)
    with pytest.raises(UserError, match="^steps: 0 is less than 1$"):
        override(config, steps=0)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_files_of_the_repository_are_read(path):
    if path.stem.startswith("study_"):
        assert load_yaml(path, StudyConfig).groups
    else:
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
        ("seed: one\n", "seed: expected a whole number, found 'one'"),
        ("seed: 1.5\n", "seed: expected a whole number, found 1.5"),
        ("seed: true\n", "seed: expected a whole number, found true"),
        ("seed: false\n", "seed: expected a whole number, found false"),
        ("seed: null\n", "seed: expected a whole number, found null"),
        ("optimizer: {clip_norm: yes}\n", "optimizer: clip_norm: expected a number, found true"),
        ("optimizer: {schedule: {peak: 1e-3x}}\n", "peak: expected a number, found '1e-3x'"),
        ("batches: {speeds: 1.0}\n", "batches: speeds: expected a list, found 1.0"),
        ("batches: {speeds: [1.0, fast]}\n", "batches: speeds[1]: expected a number, found 'fast'"),
        ("batches: 4\n", "batches: expected keys and values, found 4"),
        ("keep: first\n", "keep: 'first' is not one of best, last"),
        ("quantization: {precision: w9}\n", "quantization: precision 'w9': expected one of float"),
        ("quantization: {overrides: [a]}\n", 'overrides: expected keys and values, found ["a"]'),
        ("quantization: {overrides: {str: 3, int: 3}}\n", "overrides: str: expected text, found 3"),
        ("quantization: {overrides: &a {ctc: *a}}\n", "more than 100,000 values"),
        ("!!binary aGVsbG8=: 3\n", "the tag 'tag:yaml.org,2002:binary' in line "),
        ('preset: "\\ud800"\n', "not plain keys and values: 'utf-8' codec"),
        ("stepz: 3\nquantization: {precision: w9}\n", "quantization: precision 'w9': expected"),
        ("quantization: {precision: null}\n", "quantization: precision: expected text, found null"),
        ("batches: {cache: null}\n", "batches: cache: expected true or false, found null"),
        ("batches: {speeds: [null, {}]}\n", "batches: speeds[0]: expected a number, found null"),
        ("batches: {gain: {2020-01-01: 3}}\n", 'expected a number, found {"2020-01-01": 3}'),
        (f"overrides: {'[' * 210}{']' * 210}\n", "nested too deeply"),
        ("batches: null\n", "batches: expected keys and values, found null"),
        ("keep: null\n", "keep: null is not one of best, last"),
        ("evaluate_every: 0\n", "evaluate_every: 0 is less than 1"),
        ("checkpoint_minutes: -1\n", "checkpoint_minutes: -1.0 is not a number from 0 up"),
        ("checkpoint_minutes: .nan\n", "checkpoint_minutes: nan is not a number from 0 up"),
        ("batches: {batch_size: 0}\n", "batches: batch_size: 0 is less than 1"),
        ("batches: {batch_seconds: 0}\n", "batches: batch_seconds: 0.0 is not a number above 0"),
        ("batches: {bucket_seconds: []}\n", "batches: bucket_seconds: [] are not numbers"),
        ("batches: {bucket_seconds: [2, 2]}\n", "batches: bucket_seconds: [2.0, 2.0] are not"),
        ("batches: {bucket_seconds: [0, 2]}\n", "batches: bucket_seconds: [0.0, 2.0] are not"),
        ("batches: {speeds: []}\n", "batches: speeds: [] are not one or more numbers above 0"),
        ("batches: {speeds: [1.0, 0]}\n", "batches: speeds: [1.0, 0.0] are not one or more"),
        ("batches: {join: 1.5}\n", "batches: join: 1.5 is not from 0 to 1"),
        ("batches: {gain: -1}\n", "batches: gain: -1.0 is not a number from 0 up"),
        ("batches: {spec_augment: {time_masks: -1}}\n", "spec_augment: time_masks: -1 is less"),
        ("batches: {spec_augment: {time_share: 2}}\n", "spec_augment: time_share: 2.0 is not"),
        ("encoder: {blocks: 0}\n", "encoder: blocks: 0 is less than 1"),
        ("encoder: {heads: 3}\n", "encoder: heads: 3 does not divide dim 128"),
        ("encoder: {dim: 7, heads: 1}\n", "encoder: dim: 7 is not even"),
        ("encoder: {dropout: 1}\n", "encoder: dropout: 1.0 is not from 0 to below 1"),
        ("optimizer: {clip_norm: 0}\n", "optimizer: clip_norm: 0.0 is not above 0"),
        ("optimizer: {average: 1}\n", "optimizer: average: 1.0 is not from 0 to below 1"),
        ("optimizer: {weight_decay: -1}\n", "optimizer: weight_decay: -1.0 is not a number"),
        ("optimizer: {l2: -1}\n", "optimizer: l2: -1.0 is not a number from 0 up"),
        ("optimizer: {accumulate: 0}\n", "optimizer: accumulate: 0 is less than 1"),
        ("optimizer: {variational_noise: {std: 0}}\n", "std: 0.0 is not a number above 0"),
        ("optimizer: {variational_noise: {start_step: -1}}\n", "start_step: -1 is less than 0"),
        ("optimizer: {variational_noise: {layers: '('}}\n", "'(' is not a regular expression"),
        ("optimizer: {schedule: {peak: 0}}\n", "schedule: peak: 0.0 is not a number above 0"),
        ("optimizer: {schedule: {peak: .inf}}\n", "schedule: peak: inf is not a number above 0"),
        ("optimizer: {schedule: {warmup: -1}}\n", "schedule: warmup: -1 is less than 0"),
        ("quantization: {start_step: -1}\n", "quantization: start_step: -1 is less than 0"),
        ("seed: -1\n", "seed: -1 is less than 0"),
        ("seed: 3000000000\n", "seed: 3000000000 is more than 2,147,483,647"),
        (f"seed: {10**30}\n", "seed: a whole number of more than 64 bits"),
        (f"batches: {{speeds: [{10**30}]}}\n", "speeds[0]: a whole number of more than 64 bits"),
        (f"seed: 0x{'f' * 5000}\n", "not plain keys and values: Exceeds the limit"),
        ("seed: '" + "9" * 5000 + "'\n", "seed: expected a whole number, found '999"),
        ("encoder: {blocks: 2000}\n", "encoder: blocks: 2000 is more than 1,024"),
        ("encoder: {dim: 100000}\n", "encoder: dim: 100000 is more than 65,536"),
        ("encoder: {dim: 65536, blocks: 900}\n", "make 27,"),
        ("encoder: {attention_context: [4, 10000000]}\n", "10000000 is more than 1,048,576"),
        ("encoder: {norm_epsilon: .inf}\n", "norm_epsilon: inf is not a number above 0"),
        ("batches: {batch_size: 10000000}\n", "batch_size: 10000000 is more than 1,048,576"),
        ("batches: {bucket_seconds: [1, 1e9]}\n", "bucket_seconds: 1000000000.0 is more than"),
        ("batches: {speeds: [1e-9]}\n", "batches: speeds: 1e-09 is less than 0.1"),
        ("batches: {noise: {snr_db: [0, 1e9]}}\n", "snr_db: 1000000000.0 is more than 200.0"),
        ("optimizer: {variational_noise: {layers: 'a{99999999999}'}}\n", "not a regular expr"),
        (f"quantization: {{overrides: {{{'(' * 900}: w8a8}}}}\n", "is not a regular expression"),
    ],
)  # fmt: skip
def test_mistakes(write, text, complaint):
    path = write(NEEDED + text)
    assert complaint in refusal(path)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"sample_rate": 0}, "sample_rate: 0 is less than 1"),
        ({"frame_ms": 0.0}, "frame_ms: 0.0 is less than one sample at 16000 Hz"),
        ({"hop_ms": 0.01}, "hop_ms: 0.01 is less than one sample at 16000 Hz"),
        ({"mel_bins": 0}, "mel_bins: 0 is less than 1"),
        ({"low_hz": 8000.0}, "low_hz: 8000.0 is not from 0 to below high_hz 7600.0"),
        ({"sample_rate": 8000}, "high_hz: 7600.0 is above half the sample_rate, 4000.0"),
        ({"preemphasis": 1.0}, "preemphasis: 1.0 is not from 0 to below 1"),
        ({"log_floor": 0.0}, "log_floor: 0.0 is less than 1e-30"),
        ({"window": "hamming"}, "window: 'hamming' is not one of periodic, symmetric"),
    ],
)
def test_mistakes_in_a_front_end(values, complaint):
    with pytest.raises(UserError) as caught:
        from_dict(FrontEndConfig, values, "config.json")
    assert str(caught.value) == f"config.json: {complaint}"


def test_no_steps(write):
    assert "steps: 0 is less than 1" in refusal(write("data: d\noutput: o\nsteps: 0\n"))


@pytest.mark.parametrize("number", ["1e-3", "1E-3", "0.001", "1.0e-3", ".001"])
def test_numbers_with_an_exponent(write, number):
    text = NEEDED + f"optimizer: {{schedule: {{peak: {number}}}}}\n"
    assert load_yaml(write(text), TrainConfig).optimizer.schedule.peak == 0.001


def test_a_date_is_text(write):
    text = NEEDED.replace("data: d", "data: 2026-01-31")
    assert load_yaml(write(text), TrainConfig).data == "2026-01-31"


@pytest.mark.parametrize("missing", ["data", "output", "steps"])
def test_missing_keys(write, missing):
    kept = "".join(line + "\n" for line in NEEDED.splitlines() if missing not in line)
    assert f"key '{missing}' is missing" in refusal(write(kept))


# Ten times ten times ten ... values, of which nine lines hold ten each.
ALIASES = "\n".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]" for n in range(1, 10))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: " + "[" * 100_000, "nested too deeply"),
        ("\n".join(f"{' ' * depth}a:" for depth in range(900)), "nested too deeply"),
        ("x0: &x0 [1]\n" + ALIASES, "more than 100,000 values, with aliases written out"),
        ("steps: &x [*x]", "more than 100,000 values"),
        ("steps: 1\nsteps: 2", "the key 'steps' is given twice in line 2, column 1"),
        ("batches: {cache: true, cache: false}", "the key 'cache' is given twice in line 1"),
        ("data: !!binary aGVsbG8=", "the tag 'tag:yaml.org,2002:binary' in line 1, column 7"),
        ("data: !!timestamp 2026-01-31", "the tag 'tag:yaml.org,2002:timestamp'"),
        ("data: !!set {a, b}", "the tag 'tag:yaml.org,2002:set'"),
        ("data: !!python/object/apply:os.getcwd []", "python/object/apply:os.getcwd'"),
        ("[1, 2]: 3", "a key is no text in line 1, column 1"),
        ("x0: &x0 [1]\n" + ALIASES + "\n? *x9\n: 3", "a key is no text"),
        ("? &x [*x]\n: 3", "a key is no text"),
        ("a: 1" + ":1" * 3000 + ".5", "a number is too large"),
        ("# " + "x" * 600_000, "more than 524,288 characters"),
        ("steps: !!bool 3", "a value is not what its tag says"),
        (f"steps: {'9' * 6000}", "Exceeds the limit"),
        ("steps: 1\n---\nsteps: 2", "expected a single document"),
    ],
    ids=range(18),
)
def test_absurd_yaml(write, text, complaint):
    message = refusal(write(text))
    assert message.startswith(f"{write(text)}: not valid YAML: ")
    assert complaint in message


def test_aliases_are_read(write):
    config = load_yaml(
        write(NEEDED.replace("d\n", "&here d\n").replace("o\n", "*here\n")), TrainConfig
    )
    assert config.output == config.data == "d"


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
    assert "line 1 is not UTF-8" in refusal(path)


def test_a_byte_order_mark(write):
    path = write("\ufeff" + NEEDED)
    assert load_yaml(path, TrainConfig).steps == 10


def test_a_folder_in_the_place_of_a_file(tmp_path):
    assert refusal(tmp_path) == f"{tmp_path}: a folder: expected a file"


def test_unknown_preset():
    config = from_dict(TrainConfig, {"data": "d", "output": "o", "steps": 1, "preset": "XL"}, "x")
    with pytest.raises(UserError, match="preset: 'XL' is not one of tiny, S, M, L"):
        config.encoder_config()


def test_settings_in_the_place_of_the_files(tmp_path):
    path = tmp_path / "train.yaml"
    path.write_text("data: a\noutput: b\nsteps: 5\nbatches: {batch_size: 4, gain: 0.5}\n")
    settings = ["steps=7", "batches.batch_size=16", "optimizer.schedule.peak=1e-4", "preset=S"]
    config = load_yaml(path, TrainConfig, settings)
    assert (config.steps, config.batches.batch_size, config.batches.gain) == (7, 16, 0.5)
    assert (config.optimizer.schedule.peak, config.preset) == (1e-4, "S")
    assert load_yaml(path, TrainConfig, ["batches.spec_augment=null"]).batches.spec_augment is None


def test_the_option_may_be_repeated():
    parser = argparse.ArgumentParser()
    add_configuration(parser, lambda: TrainConfig, "a file")
    words = ["--config", "x.yaml", "--set", "steps=7", "preset=S", "--set", "seed=3"]
    assert parser.parse_args(words).settings == ["steps=7", "preset=S", "seed=3"]
    assert parser.parse_args(words[:2]).settings == []


@pytest.mark.parametrize(
    "setting, complaint",
    [
        ("steps", "--set steps: expected KEY=VALUE"),
        ("=3", "--set =3: expected KEY=VALUE"),
        ("steps=[", "--set steps=[: expected KEY=VALUE"),
        ("data={a: 1, a: 2}", "--set data={a: 1, a: 2}: expected KEY=VALUE"),
        ("steps.more=3", "--set steps.more=3: 'steps' holds no further keys"),
        ("batches.batch_sise=3", "batches: unknown key 'batch_sise': did you mean 'batch_size'?"),
        ("steps=0", "steps: 0 is less than 1"),
    ],
)
def test_a_setting_that_does_not_fit(tmp_path, setting, complaint):
    path = tmp_path / "train.yaml"
    path.write_text("data: a\noutput: b\nsteps: 5\n")
    with pytest.raises(UserError, match=re.escape(complaint)):
        load_yaml(path, TrainConfig, [setting])


def test_a_setting_of_a_file_that_is_no_configuration(tmp_path):
    path = tmp_path / "train.yaml"
    path.write_text("- data\n- output\n")
    with pytest.raises(UserError, match="train.yaml: expected keys and values"):
        load_yaml(path, TrainConfig, ["steps=5"])
