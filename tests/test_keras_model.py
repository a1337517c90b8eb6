"""Any Keras model: quantized in one line or through tfmot, saved, loaded, exported."""

from collections import Counter

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_model_optimization as tfmot
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.tools import flatbuffer_utils
from tensorflow import keras

import asr_qat
import tflite_export
from asr_qat.errors import UserError
from tests.conftest import long_case
from tests.docs_pages import blocks
from tflite_export.convert.labelled import layer_of_product, products
from tflite_export.convert.packed import unpacked_integers

annotate = tfmot.quantization.keras.quantize_annotate_layer


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """A small image classifier of stock layers, its batch statistics not the initial ones."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    x = image = keras.Input((6, 6, 4), name="image")
    x = layers.Conv2D(16, 1, strides=2, use_bias=False, name="stem")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.ReLU(6.0, name="relu")(x)
    x = layers.Flatten()(x)
    x = layers.Dense(12, activation="relu", name="hidden")(x)
    made = keras.Model(image, layers.Dense(5, name="classes")(x), name="classifier")
    for weight in made.get_layer("norm").weights:
        weight.assign(tf.random.uniform(weight.shape, 0.5, 1.5))
    return made


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(8, 6, 6, 4)).astype(np.float32)


def on_device(path, signature: str, **inputs: np.ndarray) -> np.ndarray:
    (output,) = Interpreter(str(path)).get_signature_runner(signature)(**inputs).values()
    return output


def test_every_product_is_quantized_at_its_precision(model):
    quantized = asr_qat.quantize_model(model, "w4a8", {"class": "w8a8", "hid": "float"})
    found = {k: v.precision.name for k, v in asr_qat.quantized_layers(quantized).items()}
    assert found == {"stem": "w4a8", "classes": "w8a8"}


def test_precision_by_a_function(model):
    def wide(layer: keras.layers.Layer) -> str | None:
        return "w2a8" if layer.units > 12 else None

    quantized = asr_qat.quantize_model(model, "w8a8", wide)
    found = {k: v.precision.name for k, v in asr_qat.quantized_layers(quantized).items()}
    assert found == {"stem": "w2a8", "hidden": "w8a8", "classes": "w8a8"}


def test_float_everywhere_is_an_error(model):
    with pytest.raises(UserError, match="classifier: nothing is quantized: its layers with"):
        asr_qat.quantize_model(model, "w4a8", {".": "float"})


def test_a_number_is_no_precision(model):
    with pytest.raises(UserError, match="precision: expected a name such as 'w4a8' .* found 4$"):
        asr_qat.quantize_model(model, 4)


def test_nothing_to_quantize_is_an_error():
    bare = keras.Sequential([keras.Input((4,)), keras.layers.Softmax()], name="bare")
    with pytest.raises(UserError, match="bare: nothing is quantized: it has no weights$"):
        asr_qat.quantize_model(bare)


def test_a_subclassed_model_gets_one_line():
    class Subclassed(keras.Model):
        pass

    with pytest.raises(UserError, match="Subclassed is a subclassed model"):
        asr_qat.quantize_model(Subclassed())
    with pytest.raises(UserError, match="begin it with keras.Input"):
        asr_qat.quantize_model(keras.Sequential([keras.layers.Dense(2)]))


def test_a_pattern_that_matches_nothing_is_an_error(model):
    with pytest.raises(UserError, match="'ctc_output' matches no layer"):
        asr_qat.quantize_model(model, overrides={"ctc_output": "float"})


def test_tfmot_quantizes_what_is_annotated():
    annotated = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(16, name="before"),
            annotate(keras.layers.Dense(4, name="head")),
        ]
    )
    with asr_qat.quantize_scope():
        quantized = tfmot.quantization.keras.quantize_apply(annotated, asr_qat.Scheme("w4a8"))
    assert list(asr_qat.quantized_layers(quantized)) == ["quant_head"]
    x = tf.random.normal([3, 8])
    ours = asr_qat.quantize_model(annotated_without_wrappers(annotated), overrides={"bef": "float"})
    np.testing.assert_array_equal(quantized(x), ours(x))


def annotated_without_wrappers(model: keras.Model) -> keras.Model:
    def inner(layer: keras.layers.Layer) -> keras.layers.Layer:
        layer = getattr(layer, "layer", layer)
        return layer.__class__.from_config(layer.get_config())

    plain = keras.models.clone_model(model, clone_function=inner)
    plain.set_weights(model.get_weights())
    return plain


def test_tfmot_with_nothing_to_quantize_is_an_error():
    annotated = keras.Sequential(
        [keras.Input((8,)), annotate(keras.layers.Softmax()), keras.layers.Dense(3)], name="only"
    )
    with asr_qat.quantize_scope(), pytest.raises(UserError, match="only: nothing is quantized"):
        tfmot.quantization.keras.quantize_apply(annotated, asr_qat.Scheme())


@pytest.mark.parametrize("through_tfmot", [False, True])
def test_training_goes_on_after_loading(through_tfmot, model, images, tmp_path):
    keras.utils.set_random_seed(1)
    if through_tfmot:
        with asr_qat.quantize_scope():
            annotated = tfmot.quantization.keras.quantize_annotate_model(model)
            trained = tfmot.quantization.keras.quantize_apply(annotated, asr_qat.Scheme("w4a8"))
    else:
        trained = asr_qat.quantize_model(model, "w4a8")
    trained.compile(keras.optimizers.Adam(0.01), "mse")
    labels = np.ones([len(images), 5], np.float32)
    trained.fit(images, labels, epochs=2, verbose=0, shuffle=False)
    trained.save(tmp_path / "model.keras")
    trained.save_weights(tmp_path / "model.weights.h5")
    with asr_qat.quantize_scope():
        loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(images, verbose=0), trained(images))
    for each in (trained, loaded):
        each.fit(images, labels, epochs=1, verbose=0, shuffle=False)
    np.testing.assert_array_equal(loaded(images), trained(images))
    loaded.load_weights(tmp_path / "model.weights.h5")
    trained.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(loaded(images), trained(images))


def test_static_ranges_come_from_calibration(model, images):
    with pytest.raises(UserError, match="give `calibration`"):
        asr_qat.quantize_after_training(model, "w4a8s")
    with pytest.raises(UserError, match="calibration: there is no batch"):
        asr_qat.quantize_after_training(model, "w4a8s", [])
    with pytest.raises(UserError, match="calibration: give a list of batches"):
        asr_qat.quantize_after_training(model, "w4a8s", images)
    batches = tf.data.Dataset.from_tensor_slices((images, np.zeros(len(images)))).batch(4)
    quantized = asr_qat.quantize_after_training(model, "w4a8s", batches)
    low = [
        layer.variables["input_low"].numpy()
        for layer in asr_qat.quantized_layers(quantized).values()
    ]
    assert low[0] == np.mean([images[:4, ::2, ::2].min(), images[4:, ::2, ::2].min()])


@pytest.mark.parametrize(
    "precision", [long_case("w8a8"), "w4a8", long_case("w2a8"), "w2a8-asym", "w4", "w4a8s"]
)
def test_the_file_computes_what_keras_does(precision, model, images, tmp_path):
    quantized = asr_qat.quantize_after_training(model, precision, [images])
    tflite_export.export(quantized, tmp_path / "model.tflite", {"two": (2, 6, 6, 4)})
    expected = quantized(images[:2], training=False).numpy()
    found = on_device(tmp_path / "model.tflite", "two", image=images[:2])
    # An activation on a rounding edge may fall to the other side: a step of 1/255 of one input.
    assert np.abs(found - expected).max() < 0.02 * np.abs(expected).max()


def test_the_file_holds_the_trained_integers(model, tmp_path):
    quantized = asr_qat.quantize_model(model, "w4a8")
    tflite_export.export(quantized, tmp_path / "model.tflite")
    content = flatbuffer_utils.read_model(str(tmp_path / "model.tflite"))
    held = {}
    for graph, operator in products(content):
        kernel = graph.tensors[operator.inputs[1]]
        packed = np.array(content.buffers[kernel.buffer].data, np.uint8)
        held[layer_of_product(graph, operator)] = unpacked_integers(packed, 4, tuple(kernel.shape))
    layers = asr_qat.quantized_layers(quantized)
    assert held.keys() == layers.keys()
    for name, layer in layers.items():
        np.testing.assert_array_equal(held[name], layer.integers()[0].numpy().T)


def constants(path) -> Counter[int]:
    """Lengths of the vectors of constants in a file."""
    buffers = flatbuffer_utils.read_model(str(path)).buffers
    return Counter(len(buffer.data) for buffer in buffers if buffer.data is not None)


def test_signatures_share_the_weights(model, images, tmp_path):
    quantized = asr_qat.quantize_model(model, "w4a8")
    tflite_export.export(quantized, tmp_path / "one.tflite")
    shapes = {"one": (1, 6, 6, 4), "many": {"image": (None, 6, 6, 4)}}
    tflite_export.export(quantized, tmp_path / "both.tflite", shapes)
    one, both = (constants(tmp_path / name) for name in ("one.tflite", "both.tflite"))
    assert all(length <= 16 for length in both - one)  # shapes, and no kernel
    single = on_device(tmp_path / "both.tflite", "one", image=images[:1])
    many = on_device(tmp_path / "both.tflite", "many", image=images)
    np.testing.assert_allclose(many[:1], single, rtol=1e-5, atol=1e-6)


def test_shapes_that_do_not_fit(model, tmp_path):
    quantized = asr_qat.quantize_model(model, "w4a8")
    with pytest.raises(UserError, match="signature wide: image is .*, and the model takes"):
        tflite_export.export(quantized, tmp_path / "m.tflite", {"wide": (1, 7, 7, 4)})
    with pytest.raises(UserError, match="signature x: has the inputs sound, and the model image"):
        tflite_export.export(quantized, tmp_path / "m.tflite", {"x": {"sound": (1, 6, 6, 4)}})
    assert not (tmp_path / "m.tflite").exists()


def test_a_float_model_is_quantized_on_the_way(model, images, tmp_path):
    tflite_export.export(model, tmp_path / "now.tflite", precision="w4a8")
    tflite_export.export(asr_qat.quantize_after_training(model), tmp_path / "before.tflite")
    assert (tmp_path / "now.tflite").read_bytes() == (tmp_path / "before.tflite").read_bytes()


def test_what_is_left_in_float_has_a_reason():
    image = keras.Input((8, 8, 4))
    grouped = keras.layers.Conv2D(4, 3, groups=2, name="grouped")(image)
    model = keras.Model(image, keras.layers.Dense(2)(grouped))
    assert [(left.name, left.reason) for left in asr_qat.left_in_float(model)] == [
        ("grouped", "it has 2 groups of channels")
    ]


def test_constraints_that_are_not_kept_are_said(caplog):
    x = keras.Input((4,))
    free = keras.constraints.NonNeg()
    model = keras.Model(x, keras.layers.Dense(2, kernel_constraint=free, name="bounded")(x))
    asr_qat.quantize_model(model)
    assert "bounded: kernel_constraint not kept" in caplog.text


def test_what_would_be_lost_is_refused():
    x = keras.Input((4,))
    model = keras.Model(x, keras.layers.Dense(2)(x), name="lossy")
    model.add_loss(tf.reduce_sum(model.output))
    with pytest.raises(UserError, match="lossy: its add_loss would be lost"):
        asr_qat.quantize_model(model)
    low = keras.Model(x, keras.layers.Dense(2, dtype="float64", name="wide")(x), name="mixed")
    with pytest.raises(UserError, match="mixed: wide computes in float64"):
        asr_qat.quantize_model(low)


def test_a_float_model_is_exported_too(model, images, tmp_path):
    tflite_export.export(model, tmp_path / "float.tflite")
    found = on_device(tmp_path / "float.tflite", "serving_default", image=images[:1])
    np.testing.assert_allclose(found, model(images[:1]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("page", ["any-keras-model", "from-tfmot"])
def test_the_examples_of_the_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = [b.text for b in blocks(f"docs/how-to/{page}.md") if b.language == "python"]
    exec("\n".join(code), {})
