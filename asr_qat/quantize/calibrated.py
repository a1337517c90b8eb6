"""Quantize a float model after training, for data like those that it will see."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tensorflow import keras

from asr_qat.quantize.apply import (
    QuantizationConfig,
    QuantizedLayer,
    quantize_model,
    quantized_layers,
)
from asr_qat.quantize.calibrate import calibrate, needs_calibration
from asr_qat.quantize.layer_by_layer import RoundedLayer, round_layer_by_layer
from asr_qat.quantize.second_order import Rounding


def quantize_calibrated(
    model: keras.Model,
    config: QuantizationConfig,
    batches: Sequence[Any],
    quiet: bool = True,
    rounding: Rounding = "gptq",
) -> keras.Model:
    """A quantized copy of a float model whose outputs on some data are as close as can be.

    Kernels are rounded by `asr_qat.quantize.layer_by_layer`; their scales are those of a
    `-learned` range then. Static ranges of activations are those in the float model. A layer that
    does more than one product, such as a recurrence, an embedding or a convolution, has its
    weights rounded to the nearest value.

    Args:
        model: a Functional model of layers of `asr_qat.quantize`; it is left as it is.
        config: precisions by layer.
        batches: inputs of the model, without padding.
        quiet: without progress.
        rounding: see `asr_qat.quantize.second_order`.

    Raises:
        UserError: as `round_layer_by_layer`, or a pattern in `config.overrides` matches no layer.
    """
    registry = config.registry()
    rounded = round_layer_by_layer(model, batches, registry.of, quiet, rounding)
    quantized = quantize_model(model, _with_scales(config, rounded))
    layers = quantized_layers(quantized)
    for name, found in rounded.items():
        _assign(layers[name], found)
    if needs_calibration(layers):
        calibrate(layers, model, batches)
    return quantized


def _with_scales(
    config: QuantizationConfig, rounded: Mapping[str, RoundedLayer]
) -> QuantizationConfig:
    """The configuration in which rounded layers have scales of their own."""
    registry = config.registry()
    found = {}
    for name in rounded:
        precision = registry.precision(name)
        assert precision is not None  # else it were not rounded
        found[f"^{re.escape(name)}$"] = dataclasses.replace(precision, range="learned").name
    others = {k: v for k, v in config.overrides.items() if k not in found}
    return dataclasses.replace(config, overrides={**found, **others})  # the first match wins


def _assign(layer: QuantizedLayer, rounded: RoundedLayer) -> None:
    layer.kernel.assign(rounded.kernel)
    if layer.bias is not None:
        layer.bias.assign(rounded.bias)
    layer.variables["scale"].assign(rounded.grid.scale)
    if rounded.grid.offset is not None:
        layer.variables["offset"].assign(rounded.grid.offset)
