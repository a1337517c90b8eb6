"""A product computed from a file's integers in numpy, beside LiteRT: precisions, convolutions."""

import numpy as np
import pytest
import tensorflow as tf

from asr_qat.training.quantized import post_training
from tests.conftest import long_case
from tests.export_fixtures import SECONDS, noise
from tflite_export.convert.convert import convert_recogniser
from tflite_export.score.device.patches import Window, patches
from tflite_export.score.device.recognised import WatchedRecogniser, flatbuffer_of

pytest_plugins = ["tests.export_fixtures"]

PRECISIONS = {
    "w4a8": "dynamic",
    "w2a8": "dynamic",
    "w4": "float activations",
    "w4a8s": "static",
    "w4a8-b32": "dynamic, blocks",
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "precision", ["w4a8", "w4a8s", *map(long_case, ("w2a8", "w4", "w4a8-b32"))]
)
def test_products_of_every_precision(
    exported, float_recogniser, prepared_folder, tmp_path, precision
):
    path = tmp_path / "static.tflite" if precision == "w4a8s" else exported(precision)
    if precision == "w4a8s":
        ranged = post_training(float_recogniser, precision, prepared_folder)
        path.write_bytes(convert_recogniser(ranged, seconds=SECONDS))
    watched = WatchedRecogniser(flatbuffer_of(path))
    for features in (noise(198, 0), noise(61, 1)):
        watched.recognised(features)
    found = watched.products.summary()
    assert found and not watched.products.unchecked
    for product in found:
        assert product.unexplained == 0, product
        assert product.rows >= 25 + 8, product
    kinds = {product.kind for product in found}
    assert PRECISIONS[precision] in kinds
    if precision == "w4a8s":
        assert all(p.max_error == 0 for p in found if p.kind == "static")


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("stride", [(1, 1), (2, 1), (2, 3)])
def test_patches_are_those_of_a_convolution(same, stride):
    rng = np.random.default_rng(0)
    image = rng.standard_normal((2, 9, 8, 3)).astype(np.float32)
    kernel = rng.standard_normal((3, 2, 3, 5)).astype(np.float32)
    expected = tf.nn.conv2d(image, kernel, stride, "SAME" if same else "VALID").numpy()
    found = patches(image, Window((3, 2), stride, same)) @ kernel.reshape(-1, 5)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
