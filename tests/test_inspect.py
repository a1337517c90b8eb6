"""What `tflite-export inspect` says of a tiny exported model."""

import dataclasses
import json
from argparse import ArgumentParser

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils
from backports import zstd

from asr_qat.errors import UserError
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.model_config import ModelConfig
from asr_qat.models.model_directory import Recogniser
from asr_qat.text.tokenizer import Tokenizer
from tflite_export.commands import inspect as command
from tflite_export.convert.convert import convert_recogniser
from tflite_export.convert.serialize import serialize
from tflite_export.score.contents import ListedConstant
from tflite_export.score.delegation import delegation
from tflite_export.score.inspect import FOLDED_TABLE_BYTES, inspect

pytestmark = pytest.mark.slow

TINY = EncoderConfig(1, dim=16, heads=2, feed_forward=32, kernel=3, subsampling=8)
DENSE_LAYERS = 14


@pytest.fixture(scope="module")
def recogniser():
    """A one-block model with random weights."""
    tokenizer = Tokenizer.train(["one two", "three four five"], 40, "char")
    return Recogniser.create(ModelConfig(TINY), tokenizer, np.zeros(80), np.ones(80))


@pytest.fixture(scope="module")
def packed(recogniser, tmp_path_factory):
    """It at w4a8, for one and two seconds."""
    path = tmp_path_factory.mktemp("inspect") / "tiny.tflite"
    path.write_bytes(convert_recogniser(recogniser, "w4a8", (1, 2)))
    return path


@pytest.fixture(scope="module")
def found(packed):
    return inspect(packed)


def test_the_parts_are_the_file(packed, found):
    parts = vars(found.bytes_by_part)
    assert found.bytes == packed.stat().st_size == sum(parts.values())
    assert all(size > 0 for size in parts.values())
    assert sum(found.bytes_by_type.values()) == parts["constants"]
    assert sum(found.bytes_by_layer.values()) == parts["constants"]


def test_bytes_on_the_wire(packed, found):
    """What zstd makes of the file, which can be read again."""
    compressed = zstd.compress(packed.read_bytes())
    assert found.wire_bytes == len(compressed) < found.bytes
    assert zstd.decompress(compressed) == packed.read_bytes()
    assert f"  compressed with zstd  {found.wire_bytes:,}" in command.format_tables(found)


def test_precision_and_method_are_those_of_the_metadata(packed, found, tmp_path):
    assert (found.precision, found.method) == ("w4a8", "ptq")
    path = tmp_path / "other.tflite"
    path.write_bytes(edited(packed, lambda model: setattr(model, "metadata", [])))
    other = inspect(path)
    assert (other.precision, other.widths, other.method) == (None, None, None)


def test_every_dense_product_has_its_bytes(found):
    layers = {name: size for name, size in found.bytes_by_layer.items() if name != "other"}
    assert len(layers) == DENSE_LAYERS
    assert layers["block_00_ffn1_expand"] == 16 * 32 // 2  # a bias of zeros is omitted


def test_all_dense_kernels_have_four_bits(found):
    assert found.weight_widths["dense"] == {"32": 0, "16": 0, "8": 0, "4": 1, "2": 0}
    assert sum(found.weight_widths["all"].values()) == pytest.approx(1)
    assert 0 < found.weight_widths["all"]["4"] < 1


def test_two_bits_are_a_quarter_of_a_byte(recogniser, found, tmp_path):
    path = tmp_path / "two.tflite"
    path.write_bytes(convert_recogniser(recogniser, "w2a8", (1,)))
    two = inspect(path)
    assert two.weight_widths["dense"] == {"32": 0, "16": 0, "8": 0, "4": 0, "2": 1}
    assert two.bytes_by_layer["block_00_ffn1_expand"] == 16 * 32 // 4
    assert two.bytes_by_type["INT2"] == found.bytes_by_type["INT4"] // 2
    (taken,) = two.delegated.values()
    assert "FULLY_CONNECTED" not in taken.rest


def test_weights_before_a_dequantize_belong_to_their_product(recogniser, found, tmp_path):
    path = tmp_path / "weights_only.tflite"
    path.write_bytes(convert_recogniser(recogniser, "w4", (1,)))
    weights_only = inspect(path)
    assert weights_only.weight_widths["dense"] == found.weight_widths["dense"]
    assert weights_only.bytes_by_layer.keys() == found.bytes_by_layer.keys()


def test_operators_of_both_signatures(found):
    first, second = (v for k, v in found.operators.items() if k.startswith("encode_"))
    assert first["FULLY_CONNECTED"] == second["FULLY_CONNECTED"] == DENSE_LAYERS
    assert found.operators["total"]["FULLY_CONNECTED"] == 2 * DENSE_LAYERS
    assert found.custom_operators == ()


def test_dense_products_are_delegated(found):
    for signature, taken in found.delegated.items():
        assert taken.operators == sum(found.operators[signature].values())
        assert taken.operators == taken.delegated + sum(taken.rest.values())
        assert "FULLY_CONNECTED" not in taken.rest
        assert taken.share > 0.8


def test_nothing_is_folded(found):
    assert found.folded_tables == ()
    assert found.largest_float[0].bytes >= found.largest_float[-1].bytes


def edited(path, edit) -> bytes:
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(path.read_bytes()))
    edit(model)
    return serialize(model)


def add_table(model, rows):
    table, buffer = schema.TensorT(), schema.BufferT()
    buffer.data = np.ones(rows * 16, np.float32).view(np.uint8)
    table.type, table.shape, table.buffer = 0, [rows, 16], len(model.buffers)
    model.buffers.append(buffer)
    model.subgraphs[0].tensors.append(table)


def test_a_folded_table_is_found(packed, tmp_path):
    rows = FOLDED_TABLE_BYTES // 64 + 1
    path = tmp_path / "table.tflite"
    path.write_bytes(edited(packed, lambda model: add_table(model, rows)))
    expected = ListedConstant(layer="other", used_by="", shape=(rows, 16), bytes=rows * 64)
    assert inspect(path).folded_tables == (expected,)


def test_equal_buffers_that_are_stored_once_count_once(packed, found, tmp_path):
    rows = 1000
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(packed.read_bytes()))
    add_table(model, rows)
    add_table(model, rows)
    path = tmp_path / "shared.tflite"
    path.write_bytes(serialize(model))
    parts, before = inspect(path).bytes_by_part, found.bytes_by_part
    assert parts.constants == before.constants + rows * 64
    assert parts.graph < before.graph + 1024


def test_a_flex_operator_is_found(packed, tmp_path, capsys):
    def make_flex(model):
        code = model.operatorCodes[0]
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        code.customCode = b"FlexErf"

    path = tmp_path / "flex.tflite"
    path.write_bytes(edited(packed, make_flex))
    found = inspect(path)
    assert found.custom_operators == ("FlexErf",)
    assert found.operators["total"]["FlexErf"] > 0
    assert set(found.delegated.values()) == {None}
    assert "LiteRT cannot prepare this graph" in command.format_tables(found)


def test_an_operator_that_xnnpack_lacks_is_left_out(packed):
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(packed.read_bytes()))
    names = [code.builtinCode for code in model.operatorCodes]
    graph = model.subgraphs[0]
    whole = delegation(model, graph)
    logistic = next(
        index
        for index, operator in enumerate(graph.operators)
        if names[operator.opcodeIndex] == schema.BuiltinOperator.LOGISTIC
    )
    lacking = schema.OperatorCodeT()
    lacking.builtinCode = lacking.deprecatedBuiltinCode = schema.BuiltinOperator.ZEROS_LIKE
    lacking.version = 1
    model.operatorCodes.append(lacking)
    graph.operators[logistic].opcodeIndex = len(model.operatorCodes) - 1
    split = delegation(model, graph)
    assert split.operators == whole.operators - {logistic}
    assert split.partitions == whole.partitions + 1


def arguments(*given):
    parser = ArgumentParser()
    command.add_parser(parser.add_subparsers())
    return parser.parse_args(["inspect", *map(str, given)])


def test_json_has_every_field(packed, found, capsys):
    args = arguments(packed, "--json")
    args.run(args)
    printed = json.loads(capsys.readouterr().out)
    assert printed["command"] and printed["versions"] and printed["hardware"]
    given = json.loads(json.dumps(dataclasses.asdict(found)))  # tuples become lists
    assert {key: printed[key] for key in given} == given


def test_tables_name_everything(packed, found, capsys):
    args = arguments(packed)
    args.run(args)
    printed = capsys.readouterr().out
    for word in ("INT4", "block_00_ffn1_expand", "FULLY_CONNECTED", "run by XNNPACK", "4 bits"):
        assert word in printed
    assert f"{found.bytes:,}" in printed


@pytest.mark.parametrize("content", [b"", b"TFL3", None])
def test_a_damaged_file_is_a_user_error(packed, tmp_path, content):
    path = tmp_path / "damaged.tflite"
    whole = packed.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(UserError, match="damaged.tflite"):
        inspect(path)
