"""Published architectures with initial weights: is every product packed, and equal to Keras?"""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tensorflow import keras

import asr_qat
import tflite_export
from asr_qat.provenance import code_commit
from asr_qat.quantize.stock.rules import stock_rewriter
from experiments.targets import Row, at_most, equal

PRECISIONS = ("w8a8", "w4a8")
IMAGE = (96, 96, 3)
IMAGES = 2
APPLICATIONS = (
    "MobileNetV2",
    "MobileNetV3Small",
    "EfficientNetB0",
    "EfficientNetV2B0",
    "ResNet50",
    "ResNet50V2",
    "DenseNet121",
    "InceptionV3",
    "Xception",
    "NASNetMobile",
    "ConvNeXtTiny",
    "RegNetX002",
)
MOST_ERROR = 1e-5  # of the range of a product


@dataclasses.dataclass(frozen=True)
class ArchitectureRow:
    """An architecture at a precision.

    Attributes:
        name: of the architecture.
        precision: of its products.
        weights: of the model.
        products: that are packed.
        packed: share of the weights that is.
        left: layers with weights that stay float, by reason.
        unaccounted: weights of two axes or more that are neither packed nor in `left`.
        bytes: of the file.
        ratio: bytes of the weights in float to those of the file.
        product_error: the largest of the products, as a share of the range.
        output_error: of the model, the same.
        seconds: of quantizing and exporting.
        commit: of the code that measured it.
    """

    name: str
    precision: str
    weights: int
    products: int
    packed: float
    left: dict[str, int]
    unaccounted: int
    bytes: int
    ratio: float
    product_error: float
    output_error: float
    seconds: float
    commit: str


def applications() -> dict[str, Callable[[], keras.Model]]:
    """Models of `keras.applications`, by name."""

    def made(name: str) -> Callable[[], keras.Model]:
        return lambda: getattr(keras.applications, name)(weights=None, input_shape=IMAGE)

    return {name: made(name) for name in APPLICATIONS}


def toolkit_models() -> dict[str, Callable[[], keras.Model]]:
    """The shapes that the tests of tfmot's Keras quantization are made of."""
    return {
        "tfmot: dense": lambda: keras.Sequential(
            [
                keras.Input((10,)),
                keras.layers.Dense(8, activation="relu"),
                keras.layers.Dense(5, activation="softmax"),
            ]
        ),
        "tfmot: MNIST, Sequential": lambda: keras.Sequential([keras.Input((28, 28, 1)), *_mnist()]),
        "tfmot: MNIST, Functional": _functional_mnist,
    }


def _mnist() -> list[keras.layers.Layer]:
    layers = keras.layers
    return [
        layers.Conv2D(32, 5, padding="same", activation="relu"),
        layers.MaxPooling2D(padding="same"),
        layers.Conv2D(64, 5, padding="same", activation="relu"),
        layers.MaxPooling2D(padding="same"),
        layers.Flatten(),
        layers.Dense(1024, activation="relu"),
        layers.Dropout(0.4),
        layers.Dense(10, activation="softmax"),
    ]


def _functional_mnist() -> keras.Model:
    x = image = keras.Input((28, 28, 1))
    for layer in _mnist():
        x = layer(x)
    return keras.Model(image, x)


MODELS = {**toolkit_models(), **applications()}


def measure(work: Path) -> tuple[ArchitectureRow, ...]:
    """A row for each model and precision.

    Args:
        work: folder for the files.
    """
    work.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, build in MODELS.items():
        for precision in PRECISIONS:
            rows.append(_row(name, build, precision, work / "architecture.tflite"))
            print(f"{name} {precision}: {rows[-1].product_error:.1e}", flush=True)
    return tuple(rows)


def _row(
    name: str, build: Callable[[], keras.Model], precision: str, path: Path
) -> ArchitectureRow:
    keras.utils.set_random_seed(0)
    model = build()
    started = time.monotonic()
    quantized = asr_qat.quantize_after_training(model, precision)
    tflite_export.export(quantized, path)
    seconds = time.monotonic() - started
    shape = model.input_shape[1:]
    inputs = np.random.default_rng(0).uniform(0, 255, (IMAGES, *shape)).astype(np.float32)
    found = tflite_export.verify(quantized, path, inputs)
    layers = asr_qat.quantized_layers(quantized)
    packed = sum(int(np.prod(layer.kernel.shape)) for layer in layers.values())
    rewriter = stock_rewriter()
    products, reasons = rewriter.rewrite(model), {left.name: left.reason for left in rewriter.left}
    known = reasons.keys() | layers.keys()
    missed = [layer for layer in products.layers if layer.name not in known]
    size = path.stat().st_size
    return ArchitectureRow(
        name=name,
        precision=precision,
        weights=model.count_params(),
        products=len(found.products),
        packed=packed / products.count_params(),
        left={reason: list(reasons.values()).count(reason) for reason in reasons.values()},
        unaccounted=sum(
            int(np.prod(weight.shape))
            for layer in missed
            for weight in layer.weights
            if weight.shape.rank > 1
        ),
        bytes=size,
        ratio=4 * model.count_params() / size,
        product_error=found.max_product_error,
        output_error=found.max_output_error,
        seconds=seconds,
        commit=code_commit(),
    )


def targets(rows: tuple[ArchitectureRow, ...]) -> list[Row]:
    """What was promised of the architectures, all together."""
    if not rows:
        return []
    known = {row.name for row in rows if row.name in APPLICATIONS}
    return [
        equal("keras.applications that convert at int8 and int4", len(known), len(APPLICATIONS)),
        equal(
            "weights of products that are neither packed nor named as left",
            sum(row.unaccounted for row in rows),
            0,
        ),
        at_most(
            "largest difference of a product to Keras, as a share of the range",
            max(row.product_error for row in rows),
            MOST_ERROR,
        ),
    ]
