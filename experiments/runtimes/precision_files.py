"""The files that are run: of each precision products alone, and a whole model."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tflite_export.score.fresh_process import result_of

SECONDS = 4.0  # of the model's one signature
FRAMES, INPUTS, CHANNELS = 50, 256, 64  # of the products, and of those of an image
PRODUCT = "_product"  # ends the name of its file
SEED = 0
CALIBRATION = 4  # utterances


def product_of(path: Path) -> Path:
    """The file of the products beside that of the model."""
    return path.with_stem(f"{path.stem}{PRODUCT}")


def write_files(model: str, data: str, precisions: Sequence[str], folder: Path) -> list[Path]:
    """Two `.tflite` of each precision with their features; those that are missing in one process.

    Args:
        model: float model directory.
        data: speech in which the static ranges of activations are found.
        precisions: by name.
        folder: that keeps them for the next time.

    Returns:
        The files of the whole model.
    """
    paths = [folder / f"{precision}.tflite" for precision in precisions]
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        result_of(write_each, model, data, missing)
    return paths


def write_each(model: str, data: str, paths: Sequence[str]) -> None:
    """Write the files of the precisions that they are named after; those of the models last."""
    from asr_qat.quantize.precision import parse
    from asr_qat.training.calibrated import Calibration
    from tflite_export.convert.convert import convert
    from tflite_export.runtime.recogniser import TFLiteRecogniser

    for path in map(Path, paths):
        precision = parse(path.stem)
        static = precision is not None and precision.static
        write_product(product_of(path))
        calibration = Calibration(data, CALIBRATION, SEED) if static else None
        temporary = path.with_suffix(".unfinished")
        convert(model, temporary, path.stem, (SECONDS,), calibration)
        device = TFLiteRecogniser(temporary)
        _write_features(path, device.lengths[-1], device.metadata.front_end.mel_bins)
        temporary.rename(path)


def write_product(path: Path) -> None:
    """Write dense layers with random weights at the precision that a file is named after.

    One of many frames, with and without a bias, with a fused activation; of a single frame; and of
    an image's pixels, whose input has four dimensions.
    """
    from tensorflow import keras

    from tflite_export.convert.keras_export import export

    layers, features = keras.layers, _write_features(path, FRAMES, INPUTS)
    given = keras.Input((FRAMES, INPUTS), name="features")
    frame = layers.Cropping1D((0, FRAMES - 1))(given)
    image = layers.Reshape((FRAMES, INPUTS // CHANNELS, CHANNELS))(given)
    products = [
        layers.Dense(32, name="product")(given),
        layers.Dense(33, use_bias=False, name="without_bias")(given),
        layers.Dense(16, activation="relu", name="with_relu")(given),
        layers.Dense(32, name="one_frame")(frame),
        layers.Dense(24, name="pixels")(image),
    ]
    flat = layers.Concatenate()([layers.Flatten()(product) for product in products])
    model = keras.Model(given, flat)
    rng = np.random.default_rng(SEED)
    for layer in model.layers:
        layer.set_weights([_weights(rng, values.shape) for values in layer.get_weights()])
    name = path.stem.removesuffix(PRODUCT)
    precision = None if name == "float" else name
    shapes = {f"encode_{FRAMES}": [1, FRAMES, INPUTS]}
    export(model, path, shapes, precision, [features[None]] if precision else None)


def _weights(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_normal(shape) / (shape[0] ** 0.5 if len(shape) > 1 else 1)


def _write_features(path: Path, frames: int, bins: int) -> np.ndarray:
    """Noise, float32 `[frames, bins]`, beside a file."""
    features = np.random.default_rng(SEED).standard_normal((frames, bins)).astype(np.float32)
    np.save(path.with_suffix(".npy"), features)
    return features
