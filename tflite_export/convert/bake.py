"""From the quantized layers of a Keras model to the integers that the file will hold.

Layer by layer: the integers of a layer are packed before those of the next one are made.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from asr_qat.errors import require
from asr_qat.models.model_directory import Recogniser
from asr_qat.quantize.apply import QuantizedLayer, quantized_layers
from asr_qat.quantize.precision import Precision
from tflite_export.convert.packed import packed_integers, unpacked_integers


@dataclasses.dataclass(frozen=True)
class BakedLayer:
    """What the file holds of a quantized layer.

    Attributes:
        precision: of the layer.
        shape: of the weights, as a matrix in the order of the device: (output, input) of a
            product or a convolution.
        packed: their integers, see `packed_integers`.
        scale: float32 `[output]`, or `[output, blocks]`.
        offset: float32 `[output]` of an asymmetric grid, else None.
        input: scale and zero point of static activations, else None.
        output: the same of the layer's output.
        axis: of the device's weights, along which the scales are.
    """

    precision: Precision
    shape: tuple[int, int]
    packed: np.ndarray
    scale: np.ndarray
    offset: np.ndarray | None = None
    input: tuple[float, int] | None = None
    output: tuple[float, int] | None = None
    axis: int = 0

    @property
    def integers(self) -> np.ndarray:
        """The weights: int8, of `shape`."""
        return unpacked_integers(self.packed, self.precision.storage_bits, self.shape)


def bake(layers: Mapping[str, QuantizedLayer]) -> dict[str, BakedLayer]:
    """The quantized layers of a file, by name; see `layers_in_file`.

    Raises:
        UserError: a precision that the device does not execute.
    """
    return {name: bake_layer(name, layer) for name, layer in layers.items()}


def layers_in_file(recogniser: Recogniser) -> dict[str, QuantizedLayer]:
    """The quantized layers that are exported, by name.

    Layers of the training alone, such as the CTC heads of a transducer, are not among them.
    """
    layers = quantized_layers(recogniser.model)
    training_only = recogniser.config.kind.training_only
    return {name: layer for name, layer in layers.items() if name not in training_only}


def bake_layer(name: str, layer: QuantizedLayer) -> BakedLayer:
    """The integers and scales of a quantized layer.

    Raises:
        UserError: a precision that the device does not execute.
    """
    precision, outputs = layer.precision, layer.kernel.shape[-1]
    require_on_device(name, precision)
    integers, grid = layer.integers()
    matrix = tf.reshape(integers, [-1, outputs]).numpy()
    integers = layer.layer.device_order(matrix).astype(np.int8)
    scale = grid.scale.numpy()
    if precision.block:
        scale = np.ascontiguousarray(scale.reshape(-1, outputs).T)
    ranges = layer.ranges()
    return BakedLayer(
        precision,
        (len(integers), integers.shape[1]),
        packed_integers(integers, precision.storage_bits),
        scale if precision.block else scale.reshape(-1),
        None if grid.offset is None else np.reshape(grid.offset, [-1]),
        None if ranges is None else _numbers(*ranges.input.parameters()),
        None if ranges is None else _numbers(*ranges.output.parameters()),
        layer.layer.device_axis,
    )


def require_on_device(name: str, precision: Precision) -> None:
    """Raise `UserError` if the device does not execute the precision of a layer."""
    require(
        precision.on_device,
        f"{name}: LiteRT does not execute {precision.name}, it exists in training only: "
        "see asr_qat/quantize/precision.py for those that it does",
    )


def _numbers(scale, zero_point) -> tuple[float, int]:
    return float(scale), int(zero_point)
