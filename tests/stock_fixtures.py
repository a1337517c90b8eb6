"""Stock models with random weights, and whether their rewritten forms compute the same."""

import numpy as np
from tensorflow import keras

from asr_qat.quantize.apply import QuantizationConfig, quantize_model
from asr_qat.quantize.stock.rules import stock_rewriter

SAME = 1e-5  # of the range of the outputs
NEVER = 10**6  # a step that no test gets to


def randomize(model: keras.Model, seed: int = 0) -> keras.Model:
    """Random weights of unit outputs, and random statistics of batch normalisations."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        name, shape = variable.name.split("/")[-1], variable.shape.as_list()
        if "variance" in name:
            value = rng.uniform(0.5, 2.0, shape)
        else:
            inputs = np.prod(shape[:-1]) if len(shape) > 1 else 1.0
            value = rng.normal(size=shape) / np.sqrt(inputs)
        variable.assign(value)
    return model


def values(shape, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def labels(shape, vocabulary: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, vocabulary, shape).astype(np.int32)


def outputs(model, inputs) -> list[np.ndarray]:
    found = model(inputs)
    found = found if isinstance(found, list | tuple) else [found]
    return [np.asarray(each) for each in found]


def assert_same(expected, got, tolerance: float = SAME) -> None:
    assert len(expected) == len(got)
    for one, other in zip(expected, got, strict=True):
        assert one.shape == other.shape
        reach = max(np.ptp(one), 1e-6)
        np.testing.assert_allclose(other, one, atol=tolerance * reach, rtol=0)


def rewritten(
    model: keras.Model, inputs, left: tuple[str, ...] = (), patches: str | None = None
) -> keras.Model:
    """The model in products, which is checked to compute the same, in tfmot's wrappers too.

    Args:
        model: of stock layers; its weights become random.
        inputs: of a batch.
        left: names of the layers that stay.
        patches: as of `stock_rewriter`.
    """
    randomize(model)
    rewriter = stock_rewriter(patches)
    products = rewriter.rewrite(model)
    assert tuple(each.name for each in rewriter.left) == left
    expected = outputs(model, inputs)
    assert_same(expected, outputs(products, inputs))
    # In the wrappers of quantized layers, before the quantization begins.
    wrapped = quantize_model(products, QuantizationConfig("w4a8", start_step=NEVER))
    assert_same(expected, outputs(wrapped, inputs))
    return products
