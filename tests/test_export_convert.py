"""What the converter writes: widths, integers, scales, shared weights, labels."""

import dataclasses
import shutil

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils
from tensorflow import keras

from asr_qat.errors import UserError
from asr_qat.models.layer_names import block_layer
from asr_qat.models.model_directory import Recogniser
from asr_qat.quantize.apply import QuantizationConfig, quantized_layers
from asr_qat.quantize.dense import Dense
from tests.conftest import long_case
from tests.export_fixtures import (
    DENSE_LAYERS,
    FRAMES,
    SECONDS,
    noise,
    quantized,
    randomize_vectors,
)
from tests.quantize_fixtures import quantize_channels
from tflite_export.convert import convert as convert_module
from tflite_export.convert import stand_ins
from tflite_export.convert.bake import bake, layers_in_file, packed_integers, unpacked_integers
from tflite_export.convert.convert import convert, convert_recogniser
from tflite_export.convert.labelled import products
from tflite_export.convert.labels import label_products
from tflite_export.convert.stand_ins import stand_in_model
from tflite_export.runtime.layer_scopes import layer_of
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score.inspect import inspect

pytest_plugins = ["tests.export_fixtures"]
pytestmark = pytest.mark.slow

TYPES = {code: name for name, code in vars(schema.TensorType).items()}
HALVED = ("block_00_ffn1_project", "block_00_ffn2_project")


def read(path):
    return flatbuffer_utils.read_model(str(path))


def kernels(model) -> list[dict[str, schema.TensorT]]:
    """Kernel of each dense product by layer name, for each signature."""
    found = []
    for graph in model.subgraphs:
        tensors = [graph.tensors[o.inputs[1]] for g, o in products(model) if g is graph]
        found.append({layer_of(t.name.decode().split("/kernel")[0]): t for t in tensors})
    return found


def integers(model, tensor) -> np.ndarray:
    """The integers of a kernel `[output, input]`; several to a byte, the lowest bits first."""
    data = np.asarray(model.buffers[tensor.buffer].data, np.uint8)
    bits = {"INT8": 8, "INT4": 4, "INT2": 2}[TYPES[tensor.type]]
    assert len(data) == np.ceil(np.prod(tensor.shape) * bits / 8)
    parts = np.stack([data >> shift for shift in range(0, 8, bits)], axis=-1) & (2**bits - 1)
    values = parts.reshape(-1).astype(np.int16)[: np.prod(tensor.shape)]
    return np.where(values >= 2 ** (bits - 1), values - 2**bits, values).reshape(tensor.shape)


def assert_trained_values(model, kernel, weights, bits: int, factor: float = 1.0):
    expected, scale = (v.numpy() for v in quantize_channels(weights, bits))
    np.testing.assert_array_equal(integers(model, kernel), expected.T)
    scales = np.asarray(kernel.quantization.scale, np.float32)
    np.testing.assert_array_equal(scales, np.float32(factor) * scale)
    assert not np.any(kernel.quantization.zeroPoint)
    assert kernel.quantization.quantizedDimension == 0


@pytest.mark.parametrize("precision", [long_case("float"), long_case("w4a8"), "w2a8"])
def test_signatures_share_the_weights(exported, precision):
    two = read(exported(precision))
    first, second = kernels(two)
    assert len(first) == DENSE_LAYERS
    assert {n: t.buffer for n, t in first.items()} == {n: t.buffer for n, t in second.items()}
    signatures = {s.signatureKey for s in two.signatureDefs}
    assert signatures == {f"encode_{n}".encode() for n in FRAMES}
    both, one = inspect(exported(precision)), inspect(exported(precision, SECONDS[:1]))
    dense = {name: size for name, size in one.bytes_by_layer.items() if name != "other"}
    assert dense.items() <= both.bytes_by_layer.items()
    # Beside the graph's own tables, a longer signature adds its position table: a row of
    # `dim` floats for each relative position.
    added = both.bytes_by_part.constants - one.bytes_by_part.constants
    assert added < sum(dense.values())


@pytest.mark.parametrize(
    ("precision", "width"),
    [("w4a8", "INT4"), ("w8a8", "INT8"), ("w2a8", "INT2")],
)
def test_every_kernel_has_the_width(exported, precision, width):
    for found in kernels(read(exported(precision))):
        assert len(found) == DENSE_LAYERS
        assert {TYPES[tensor.type] for tensor in found.values()} == {width}


@pytest.mark.parametrize(("precision", "bits"), [("w4a8", 4), ("w8a8", 8), ("w2a8", 2)])
def test_integers_and_scales_are_the_trained_ones(exported, float_recogniser, precision, bits):
    model = read(exported(precision))
    for name, kernel in kernels(model)[0].items():
        weights = float_recogniser.model.get_layer(name).kernel
        # The converter folds the half step after these into their weights.
        assert_trained_values(model, kernel, weights, bits, 0.5 if name in HALVED else 1.0)


def test_overrides(mixed_file, mixed_recogniser):
    model = read(mixed_file)
    (found,) = kernels(model)
    trained = quantized_layers(mixed_recogniser.model)
    widths = {name: TYPES[kernel.type] for name, kernel in found.items()}
    assert widths.pop("ctc_output") == "FLOAT32"
    assert widths.keys() == trained.keys()
    for name, width in widths.items():
        attention = name.startswith("block_00_attention_")
        assert width == ("INT8" if attention else "INT4"), name
        factor = 0.5 if name in HALVED else 1.0
        bits = 8 if attention else 4
        assert_trained_values(model, found[name], trained[name].kernel, bits, factor)


@pytest.mark.parametrize("precision", ["float", "w4a8", "w8a8", "w2a8", "w4", long_case("w2")])
def test_built_in_operators_alone(exported, precision):
    model = read(exported(precision))
    assert not inspect(exported(precision)).custom_operators
    assert all(code.customCode is None for code in model.operatorCodes)
    assert len(model.subgraphs) == len(FRAMES)  # no loops, no branches


def test_the_float_file_is_the_keras_model(exported, float_recogniser):
    device = TFLiteRecogniser(exported("float"))
    for frames in (*FRAMES, 37):
        features = noise(frames, frames)
        inputs = [features[None], np.array([frames], np.int32)]
        expected = float_recogniser.model(inputs, training=False)[0].numpy()
        np.testing.assert_allclose(device.encode(features), expected, atol=1e-4)


def test_an_output_file_in_a_new_folder(model_directory, exported, tmp_path):
    output = tmp_path / "new/model.tflite"
    convert(model_directory, output, "w4a8", SECONDS)
    assert output.read_bytes() == exported("w4a8").read_bytes()


def test_another_precision_than_the_trained_one(mixed_recogniser):
    with pytest.raises(UserError, match=r"^here: trained at w4a8, cannot be exported at w8a8"):
        convert_recogniser(mixed_recogniser, "w8a8", where="here")
    with pytest.raises(UserError, match="cannot be exported at float"):
        convert_recogniser(mixed_recogniser, "float")


@pytest.mark.parametrize("mode", ["native", "fake"])
def test_baking_a_model_whose_quantization_has_not_begun(float_recogniser, mode):
    """The file is quantized whatever the step: its weights lie on the grid."""
    late = quantized(float_recogniser, QuantizationConfig("w4a8", mode, start_step=1000))
    inputs = [noise(50)[None], np.array([50], np.int32)]
    np.testing.assert_allclose(  # still float
        late.model(inputs, training=False), float_recogniser.model(inputs), atol=1e-5
    )
    now = bake(layers_in_file(quantized(float_recogniser, QuantizationConfig("w4a8", mode))))
    baked = bake(layers_in_file(late))
    assert baked.keys() == now.keys()
    for name, layer in baked.items():
        np.testing.assert_array_equal(layer.packed, now[name].packed)
        values, scale = quantize_channels(float_recogniser.model.get_layer(name).kernel, 4)
        np.testing.assert_array_equal(layer.integers.T, values)
        np.testing.assert_array_equal(layer.scale, scale)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_packed_integers_come_back(bits):
    values = np.random.default_rng(0).integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (3, 7), np.int8)
    packed = packed_integers(values, bits)
    assert len(packed) == -(-21 * bits // 8)
    np.testing.assert_array_equal(unpacked_integers(packed, bits, values.shape), values)


def test_stand_ins_leave_the_vectors(mixed_recogniser):
    """And all weights that are no kernels of products."""
    plain = stand_in_model(mixed_recogniser, bake(layers_in_file(mixed_recogniser)))
    for layer in plain.layers:
        trained = mixed_recogniser.model.get_layer(layer.name)
        if isinstance(layer, Dense):
            np.testing.assert_array_equal(layer.bias, getattr(trained, "layer", trained).bias)
        else:
            for given, own in zip(layer.get_weights(), trained.get_weights(), strict=True):
                np.testing.assert_array_equal(given, own)


@pytest.fixture(scope="module")
def deeper(float_recogniser) -> Recogniser:
    """The same with two blocks."""
    encoder = dataclasses.replace(float_recogniser.config.encoder, blocks=2)
    config = dataclasses.replace(float_recogniser.config, encoder=encoder)
    own = float_recogniser
    recogniser = Recogniser.create(config, own.tokenizer, own.mean, own.std)
    randomize_vectors(recogniser)
    return recogniser


def test_blocks_share_stand_ins(deeper):
    """But for the projections of the relative positions, which all read the same."""
    plain = stand_in_model(deeper, {})
    kernels = {layer.name: layer.kernel for layer in plain.layers if isinstance(layer, Dense)}
    for name in ("ffn1_expand", "attention_query", "conv_project"):
        assert kernels[f"block_00_{name}"] is kernels[f"block_01_{name}"]
    assert kernels["block_00_attention_query"] is not kernels["block_00_attention_key"]
    positions = {id(kernels[f"block_0{i}_attention_position"]) for i in range(2)}
    assert len(positions) == 2
    assert len({id(kernel) for kernel in kernels.values()}) == DENSE_LAYERS + 1


@pytest.mark.parametrize("precision", [long_case("float"), "w2a8-asym"])
def test_the_file_is_that_of_the_weights_themselves(deeper, monkeypatch, precision):
    """Byte for byte, whether products have stand-ins in common or not."""
    shared = convert_recogniser(deeper, precision, SECONDS[:1])
    monkeypatch.setattr(stand_ins, "role_of", lambda name: name)
    assert convert_recogniser(deeper, precision, SECONDS[:1]) == shared


@pytest.mark.parametrize("precision", ["float", "w2a8-asym", long_case("w4a8")])
def test_a_directory_gives_the_file_of_its_model(float_recogniser, tmp_path, precision):
    """Byte for byte, though its kernels are read one at a time, and no model is built for them."""
    float_recogniser.save(tmp_path / "model")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Recogniser, "create", None)
        convert(tmp_path / "model", tmp_path / "model.tflite", precision, SECONDS[:1])
    expected = convert_recogniser(float_recogniser, precision, SECONDS[:1])
    assert (tmp_path / "model.tflite").read_bytes() == expected


def test_a_directory_with_other_weights_is_refused(float_recogniser, deeper, tmp_path):
    float_recogniser.save(tmp_path / "model")
    deeper.save(tmp_path / "deeper")
    shutil.copy(tmp_path / "model" / "model.weights.h5", tmp_path / "deeper")
    with pytest.raises(UserError, match="model.weights.h5: damaged .not as SHA256SUMS has it"):
        convert(tmp_path / "deeper", tmp_path / "model.tflite", "w4a8", SECONDS[:1])
    (tmp_path / "deeper/SHA256SUMS").unlink()
    with pytest.raises(UserError, match="model.weights.h5: damaged, or made for another"):
        convert(tmp_path / "deeper", tmp_path / "model.tflite", "w4a8", SECONDS[:1])
    assert not (tmp_path / "model.tflite").exists()


def test_every_block_has_its_own_weights(deeper, tmp_path):
    path = tmp_path / "deeper.tflite"
    path.write_bytes(convert_recogniser(deeper, "w4a8", SECONDS[:1]))
    model = read(path)
    (found,) = kernels(model)
    assert len(found) == DENSE_LAYERS + 11
    for name, kernel in found.items():
        factor = 0.5 if name.endswith(("ffn1_project", "ffn2_project")) else 1.0
        assert_trained_values(model, kernel, deeper.model.get_layer(name).kernel, 4, factor)


def test_products_that_the_converter_merges_are_refused(deeper, monkeypatch):
    """As if the projections of the relative positions had one stand-in."""

    def role_of(name):
        layer = block_layer(name)
        return layer.place if layer else name

    monkeypatch.setattr(stand_ins, "role_of", role_of)
    missing = "encode_98: not the products .*: block_01_attention_position"
    with pytest.raises(ValueError, match=missing):
        convert_recogniser(deeper, "float", SECONDS[:1])


def test_a_product_with_other_weights_is_refused(exported, float_recogniser):
    """As if the converter had merged a gain of the layer before into the kernel."""
    model = read(exported("float"))
    label_products(model, float_recogniser.model)
    kernel = kernels(model)[0]["block_00_conv_expand"]
    merged = np.array(model.buffers[kernel.buffer].data).view(np.float32).reshape(kernel.shape)
    merged[:, 3] *= 1.1
    model.buffers[kernel.buffer].data = merged.reshape(-1).view(np.uint8)
    with pytest.raises(ValueError, match="merged something"):
        label_products(model, float_recogniser.model)


def test_a_weight_changed_after_conversion_is_refused(exported, float_recogniser):
    plain = keras.models.clone_model(float_recogniser.model)
    plain.set_weights(float_recogniser.model.get_weights())
    kernel = plain.get_layer("ctc_output").kernel
    kernel.assign(kernel + np.eye(*kernel.shape, dtype=np.float32))
    with pytest.raises(
        ValueError, match="ctc_output: the weights of its product are not the layer's"
    ):
        label_products(read(exported("float")), plain)


def test_the_command_says_what_it_has_written(
    tflite_export, model_directory, exported, monkeypatch, tmp_path
):
    path, content = tmp_path / "w4a8.tflite", exported("w4a8").read_bytes()
    monkeypatch.setattr(convert_module, "convert_recogniser", lambda *_: content)
    words = ("convert", model_directory, "-o", path, "--precision", "w4a8", "--seconds", 1)
    code, out, error = tflite_export(*words)
    assert code == 0, error
    assert out.splitlines()[-1] == f"{path}: {path.stat().st_size:,} bytes, w4a8"
    code, out, error = tflite_export(*words, "--quiet")
    assert code == 0 and str(path) not in out, error


def test_kernels_that_look_alike_keep_their_names(float_recogniser):
    """Zero kernels, and kernels that are multiples of each other, are told apart by name alone."""
    model = keras.models.clone_model(float_recogniser.model)
    model.set_weights(float_recogniser.model.get_weights())
    query, key, value = (
        model.get_layer(f"block_00_attention_{n}") for n in ("query", "key", "value")
    )
    key.kernel.assign(2.0 * query.kernel)
    value.kernel.assign(tf.zeros_like(value.kernel))
    half = model.get_layer("block_00_ffn1_project")
    half.kernel.assign(tf.zeros_like(half.kernel))
    recogniser = dataclasses.replace(float_recogniser, model=model)
    content = convert_recogniser(recogniser, "w4a8", SECONDS[:1])
    converted = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    found, scales = kernels(converted)[0], {}
    for layer in model.layers:
        if isinstance(layer, Dense):
            tensor = found[layer.name]
            assert tuple(tensor.shape) == (layer.kernel.shape[1], layer.kernel.shape[0])
            scales[layer.name] = np.asarray(tensor.quantization.scale)
    np.testing.assert_allclose(scales[key.name], 2 * scales[query.name], rtol=1e-6)
    values = np.abs(model.get_layer("block_00_ffn2_project").kernel.numpy()).max(axis=0) / 7
    np.testing.assert_allclose(scales["block_00_ffn2_project"], 0.5 * values, rtol=1e-6)
