"""Parameters, bits and bytes of every layer."""

import dataclasses
import json
import re

import numpy as np
import pytest

from asr_qat import cli
from asr_qat.commands.summary import PRESETS as NAMES
from asr_qat.errors import UserError
from asr_qat.models.ctc import build_ctc
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.presets import PRESETS
from asr_qat.models.summary import group, summarize, total
from asr_qat.quantize.apply import QuantizationConfig, quantize_model
from asr_qat.quantize.policies import POLICIES
from tests.conftest import long_case
from tflite_export.score.inspect import inspect

pytest_plugins = ["tests.export_fixtures"]

SMALL = EncoderConfig(2, dim=12, heads=2, feed_forward=20, kernel=3, subsampling=6)
VOCABULARY = 8


@pytest.fixture(scope="module")
def model():
    return build_ctc(SMALL, VOCABULARY)


def test_the_parser_knows_all_presets_by_name():
    assert tuple(PRESETS) == NAMES  # it does not import them: that takes TensorFlow


def test_float_layers_take_four_bytes(model):
    rows = summarize(model)
    assert sum(row.parameters for row in rows) == model.count_params()
    assert all((row.bits, row.bytes) == (32, 4 * row.parameters) for row in rows)


def test_bytes_of_quantized_layers(model):
    rows = {row.name: row for row in summarize(model, QuantizationConfig("two_bit"))}
    expand = rows["block_01_ffn1_expand"]
    assert (expand.parameters, expand.bits) == (12 * 20 + 20, 2)
    assert expand.bytes == 12 * 20 / 4 + 4 * 20 + 4 * 20  # kernel, scales, bias
    position = rows["block_00_attention_position"]  # without bias
    assert (position.bits, position.bytes) == (2, 12 * 12 / 4 + 4 * 12)
    output = rows["ctc_output"]
    assert (output.bits, output.bytes) == (8, 12 * 9 + 4 * 9 + 4 * 9)
    assert rows["block_00_conv_project"].bits == 4
    assert rows["block_00_conv_depthwise"].bits == 32
    assert rows["block_00_attention"].bytes == 4 * 2 * 12  # the two position biases


@pytest.mark.parametrize("start_step", [0, 5])
def test_a_quantized_model_is_as_its_configuration_says(model, start_step):
    config = QuantizationConfig("w4a8", "native", start_step, {"ctc": "float", "ffn1": "w2a8"})
    assert summarize(quantize_model(model, config)) == summarize(model, config)


def test_an_odd_number_of_weights_fills_bytes(model):
    odd = summarize(build_ctc(SMALL, 2), QuantizationConfig("w2a8"))[-1]
    assert (odd.name, odd.bytes) == ("ctc_output", 36 // 4 + 24)
    odd = summarize(
        build_ctc(EncoderConfig(1, 6, 2, None, 6, 3, 4), 2), QuantizationConfig("w2a8")
    )[-1]
    assert odd.bytes == 5 + 24  # 18 weights


def test_groups_sum_up(model):
    rows = summarize(model, QuantizationConfig("mixed_4_8"))
    groups = group(rows)
    assert [row.name for row in groups] == ["subsampling", "block_00", "block_01", "ctc"]
    assert total(groups).bytes == total(rows).bytes == sum(row.bytes for row in rows)
    whole = total(rows)
    assert whole.parameters == model.count_params()
    assert whole.bits == pytest.approx(8 * whole.bytes / whole.parameters)


@pytest.mark.slow
@pytest.mark.parametrize(
    "precision",
    ["float", "w8a8", "w4a8", "w2a8", long_case("mixed_4_8"), "two_bit", long_case("two_bit_all")],
)
def test_bytes_are_those_in_the_file(exported, float_recogniser, precision):
    """The file stores the scales elsewhere, and pads nothing."""
    found = inspect(exported(precision))
    quantization = QuantizationConfig(precision)
    for row in summarize(float_recogniser.model, quantization):
        if row.name in found.bytes_by_layer:
            outputs = float_recogniser.model.get_layer(row.name).units
            scales = 4 * outputs if row.bits < 32 else 0
            assert found.bytes_by_layer[row.name] == row.bytes - scales, row
    assert found.precision == precision


def test_own_overrides_go_before_those_of_a_policy():
    config = QuantizationConfig("two_bit", overrides={"_ffn1_": "w8a8", "^joint_output$": "w4a8"})
    registry = config.registry()
    names = ("block_00_ffn1_expand", "block_00_ffn2_expand", "joint_output", "ctc_output")
    found = [registry.precision(name).name for name in (*names, "joint_encoder")]
    assert found == ["w8a8", "w2a8", "w4a8", "w8a8", "w4a8"]


def test_neither_a_policy_nor_a_precision():
    with pytest.raises(
        UserError, match="'w5': expected one of float, .*, mixed_4_8, two_bit, two_bit_all, ternary"
    ):
        QuantizationConfig("w5")


@pytest.mark.parametrize("policy", list(POLICIES))
def test_policies_fit_a_model(policy):
    """Every pattern of a policy fits a layer."""
    small = EncoderConfig(1, 8, 2, None, 8, 3, 4)
    names = [layer.name for layer in build_ctc(small, 3).layers]
    for pattern in POLICIES[policy].overrides:
        assert any(re.search(pattern, name) for name in names), pattern
    widths = {
        r.name: r.bits
        for r in summarize(quantize_model(build_ctc(small, 3), QuantizationConfig(policy)))
    }
    expected = {
        "mixed_4_8": (4, 8, 8, 32, 8),
        "two_bit": (2, 2, 4, 32, 8),
        "two_bit_all": (2, 2, 2, 32, 8),
        "ternary": (2, 2, 2, 8, 2),
    }[policy]
    layers = ("ffn2_expand", "attention_key", "conv_expand", "conv_depthwise")
    assert tuple(widths[f"block_00_{name}"] for name in layers) == expected[:4]
    assert widths["ctc_output"] == expected[4]


def summary(monkeypatch, capsys, *words):
    monkeypatch.setattr("sys.argv", ["asr-qat", "summary", *words])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return stopped.value.code, *capsys.readouterr()


def test_the_command_prints_a_preset(monkeypatch, capsys):
    monkeypatch.setitem(PRESETS, "tiny", dataclasses.replace(PRESETS["tiny"], blocks=1))
    words = ("--preset", "tiny", "--vocab-size", "128", "--precision", "w4a8")
    _, printed, _ = summary(monkeypatch, capsys, *words)  # a transducer
    assert re.search(r"^joint_output +16,641 +4 +9,288$", printed, re.MULTILINE)
    words = (*words, "--model", "ctc")
    code, printed, _ = summary(monkeypatch, capsys, *words)
    assert code == 0
    assert re.search(r"^ctc_output +16,641 +4 +9,288$", printed, re.MULTILINE)
    _, blocks, _ = summary(monkeypatch, capsys, *words, "--by", "block", "--json")
    content = json.loads(blocks)
    assert [row["name"] for row in content["rows"]][-2:] == ["block_00", "ctc"]
    assert content["total"]["bytes"] == np.sum([row["bytes"] for row in content["rows"]])
    assert f"{content['total']['bytes']:,}" in printed
    assert content["ratio"] == 4 * content["total"]["parameters"] / content["total"]["bytes"]


@pytest.mark.slow
def test_the_command_prints_a_model_directory(monkeypatch, capsys, mixed_recogniser, tmp_path):
    mixed_recogniser.save(tmp_path / "model")
    code, printed, _ = summary(monkeypatch, capsys, str(tmp_path / "model"))
    assert code == 0
    assert re.search(r"^block_00_attention_key +[0-9,]+ +8 ", printed, re.MULTILINE)
    words = (str(tmp_path / "model"), "--precision", "w8a8")
    code, _, said = summary(monkeypatch, capsys, *words)
    assert code == 1
    assert "trained at w4a8: omit --precision" in said.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ((), "give a model directory or --preset, one of them"),
        (("x", "--preset", "S"), "give a model directory or --preset, one of them"),
        (("x", "--vocab-size", "9"), "--vocab-size and --model go with --preset"),
        (("x",), "x: no such model directory"),
        (("--preset", "live_l", "--model", "ctc"), "--preset live_l: a live model is a transducer"),
        (("--preset", "S", "--precision", "w5"), "precision 'w5': expected one of"),
    ],
)
def test_what_the_command_refuses(monkeypatch, capsys, words, line):
    code, _, said = summary(monkeypatch, capsys, *words)
    assert code == 1
    assert said.splitlines()[-1].startswith(f"asr-qat: error: {line}")
