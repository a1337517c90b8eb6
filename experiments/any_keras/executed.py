"""What LiteRT makes of each kind of product at each width, those that are never written too."""

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.tools import flatbuffer_utils
from tensorflow import keras

import asr_qat
import tflite_export
from asr_qat.errors import UserError
from asr_qat.provenance import code_commit
from experiments.targets import Row, equal
from tflite_export.convert.labelled import products
from tflite_export.score.delegation import delegation
from tflite_export.score.fresh_process import result_of

WIDTHS = (8, 4, 2)
ROWS = 6
EQUAL = 1e-5  # of the range


@dataclasses.dataclass(frozen=True)
class ExecutedRow:
    """A kind of product at a width.

    Attributes:
        kind: of the product.
        bits: of its weights.
        written: whether the exporter writes it; else it takes the next width that works.
        by: `XNNPACK`, `built-in`, or `refused`.
        error: largest difference to Keras, as a share of the range; None if refused.
        error_built_in: the same without XNNPACK.
        repeats: whether a second run gives the same numbers.
        commit: of the code that measured it.
    """

    kind: str
    bits: int
    written: bool
    by: str
    error: float | None
    error_built_in: float | None
    repeats: bool | None
    commit: str

    @property
    def equal(self) -> bool:
        """Whether the device computes what was trained, with XNNPACK."""
        return self.error is not None and self.error < EQUAL and bool(self.repeats)


def _model(*layers: keras.layers.Layer, shape: tuple[int, ...], dtype: str = "float32"):
    x = y = keras.Input(shape, dtype=dtype, name="x")
    for layer in layers:
        y = layer(y)
    return keras.Model(x, y)


KINDS: dict[str, Callable[[], keras.Model]] = {
    "dense, 64 inputs": lambda: _model(keras.layers.Dense(8), shape=(64,)),
    "dense, 63 inputs": lambda: _model(keras.layers.Dense(8), shape=(63,)),
    "convolution 3x3": lambda: _model(keras.layers.Conv2D(8, 3), shape=(8, 8, 8)),
    "convolution 3x3 as patches": lambda: _model(
        keras.layers.Conv2D(8, 3, name="patches"), shape=(8, 8, 8)
    ),
    "depthwise convolution 3x3, float activations": lambda: _model(
        keras.layers.DepthwiseConv2D(3), shape=(8, 8, 8)
    ),
    "embedding, rows of 8": lambda: _model(
        keras.layers.Embedding(16, 8), shape=(4,), dtype="int32"
    ),
    "embedding, rows of 7": lambda: _model(
        keras.layers.Embedding(16, 7), shape=(4,), dtype="int32"
    ),
    "recurrence of 8 units": lambda: _model(keras.layers.LSTM(8), shape=(3, 8)),
}


def measure(work: Path) -> tuple[ExecutedRow, ...]:
    """A row for each kind and width, in processes of their own: some read beyond their weights.

    Args:
        work: not used.
    """
    del work
    found = [result_of(fields_of, kind, bits) for kind in KINDS for bits in WIDTHS]
    return tuple(ExecutedRow(**fields) for fields in found)


def fields_of(kind: str, bits: int) -> dict[str, Any]:
    """The row of a kind at a width, in a process of its own."""
    return dataclasses.asdict(measure_one(kind, bits))


def measure_one(kind: str, bits: int) -> ExecutedRow:
    """The row of a kind at a width."""
    keras.utils.set_random_seed(0)
    patches = "patches" if kind.endswith("patches") else None
    model = asr_qat.quantize_model(KINDS[kind](), f"w{bits}a8", patches=patches)
    quantizers = [layer.quantizer for layer in asr_qat.quantized_layers(model).values()]
    written = all(quantizer.precision.weight_bits == bits for quantizer in quantizers)
    for quantizer in quantizers:  # whatever the layer would have
        quantizer.precision = dataclasses.replace(quantizer.precision, weight_bits=bits)
    rng = np.random.default_rng(0)
    x: Any = rng.normal(size=(ROWS, *model.input_shape[1:])).astype(np.float32)
    if model.inputs[0].dtype.is_integer:
        x = rng.integers(0, 16, (ROWS, *model.input_shape[1:])).astype(np.int32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.tflite"
        tflite_export.export(model, path)
        errors = {xnnpack: _error(model, path, x, xnnpack) for xnnpack in (True, False)}
        refused = errors[True] is None
        return ExecutedRow(
            kind=kind,
            bits=bits,
            written=written,
            by="refused" if refused else _by(path),
            error=errors[True],
            error_built_in=errors[False],
            repeats=None if refused else _repeats(path, x[:1]),
            commit=code_commit(),
        )


def _error(model: keras.Model, path: Path, x: np.ndarray, xnnpack: bool) -> float | None:
    try:
        return tflite_export.verify(model, path, x, xnnpack=xnnpack).max_product_error
    except (RuntimeError, ValueError, UserError):  # LiteRT's
        return None


def _by(path: Path) -> str:
    """Who runs the products of a file."""
    flat = flatbuffer_utils.read_model(str(path))
    taken = delegation(flat, flat.subgraphs[0]).operators
    places = [
        index
        for index, each in enumerate(flat.subgraphs[0].operators)
        if any(each is operator for _, operator in products(flat))
    ]
    return "XNNPACK" if set(places) <= taken else "built-in"


def _repeats(path: Path, x: np.ndarray) -> bool:
    """Whether two interpreters give the same."""
    found = [
        next(iter(Interpreter(str(path)).get_signature_runner()(x=x).values())) for _ in range(2)
    ]
    return bool(np.array_equal(found[0], found[1]))


def targets(rows: tuple[ExecutedRow, ...]) -> list[Row]:
    """What was promised: whatever is written is what was trained."""
    if not rows:
        return []
    wrong = sum(row.written and not row.equal for row in rows)
    return [equal("kinds and widths that are written and differ from Keras", wrong, 0)]
