"""Quantize any Functional or Sequential Keras model for training.

    model = asr_qat.quantize_model(model, "w4a8")
    model.compile(...)
    model.fit(...)

or layer by layer, by tfmot's own functions:

    model = tfmot.quantization.keras.quantize_apply(annotated, scheme=asr_qat.Scheme("w4a8"))

Stock layers become layers of one product each first, see `asr_qat.quantize.stock`.
"""

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tensorflow import keras

from asr_qat.compat import QuantizeScheme
from asr_qat.errors import UserError, require
from asr_qat.quantize import apply
from asr_qat.quantize.apply import QuantizationConfig
from asr_qat.quantize.calibrate import needs_calibration
from asr_qat.quantize.calibrated import quantize_calibrated
from asr_qat.quantize.precision import FLOAT
from asr_qat.quantize.product_layer import ProductLayer
from asr_qat.quantize.scheme import PrecisionRegistry
from asr_qat.quantize.stock.left import Left
from asr_qat.quantize.stock.rewrite import require_graph
from asr_qat.quantize.stock.rules import stock_rewriter

logger = logging.getLogger(__name__)

Overrides = Mapping[str, str] | Callable[[Any], str | None]


def quantize_model(
    model: keras.Model,
    precision: str | QuantizationConfig = "w4a8",
    overrides: Overrides | None = None,
    patches: str | None = None,
) -> keras.Model:
    """A copy of a model, weights included, whose products train and run with quantized weights.

    Args:
        model: Functional, or Sequential and built. One that has layers of `asr_qat.quantize`
            keeps its stock layers as they are.
        precision: of every product, see `asr_qat.quantize.precision`; or a whole configuration.
        overrides: other precisions, or `float`: by regular expression on the names of the products,
            the first match wins; or a function of a product's layer that gives one, or None for
            that of the others.
        patches: regular expression on the names of convolutions: those that are to be dense
            products of patches. They may have weights of 4 or 2 bits, and take more memory.

    What stays float is logged, with the reason.

    Raises:
        UserError: nothing in the model can be quantized, a model without a graph of layers, an
            unknown precision, or a pattern that matches no layer.
    """
    products = _in_products(model, patches)
    config = precision
    if isinstance(config, str):
        config = QuantizationConfig(config, overrides=by_pattern(overrides, products))
    elif overrides:
        raise UserError("overrides: give them in the QuantizationConfig, or the precision by name")
    require(
        isinstance(config, QuantizationConfig),
        f"precision: expected a name such as 'w4a8' or a QuantizationConfig, found {config!r}",
    )
    return _quantized(products, config)


def left_in_float(model: keras.Model, patches: str | None = None) -> list[Left]:
    """The layers with weights that `quantize_model` would leave in float, and why.

    Args:
        model: as of `quantize_model`.
        patches: as of `quantize_model`.
    """
    rewriter = stock_rewriter(patches)
    rewriter.rewrite(model)
    return rewriter.left


def quantize_after_training(
    model: keras.Model,
    precision: str = "w4a8",
    calibration: Iterable[Any] | None = None,
    overrides: Overrides | None = None,
    patches: str | None = None,
    quiet: bool = True,
) -> keras.Model:
    """As `quantize_model`, of a model that is not trained any further.

    Args:
        model: as of `quantize_model`.
        precision: as of `quantize_model`, by name.
        calibration: batches of the model's inputs, some hundred examples, for which the weights
            are rounded, see `asr_qat.quantize.calibrated`; static ranges of activations (`a8s`)
            need them. Of pairs, as `fit` takes them, the first ones are used. None: weights become
            the nearest integers.
        overrides: as of `quantize_model`.
        patches: as of `quantize_model`.
        quiet: without progress.

    Raises:
        UserError: as of `quantize_model`, or static ranges and nothing to find them in.
    """
    products = _in_products(model, patches)
    config = QuantizationConfig(precision, "ptq", overrides=by_pattern(overrides, products))
    if calibration is None:
        quantized = _quantized(products, config)
        if needs_calibration(apply.quantized_layers(quantized)):
            raise UserError(
                f"{precision}: its activations have static ranges: give `calibration`, batches of "
                "inputs to find them in"
            )
        return quantized
    require(not hasattr(calibration, "shape"), "calibration: give a list of batches, such as [x]")
    batches = [_inputs(batch, products) for batch in calibration]
    quantized = quantize_calibrated(products, config, batches, quiet)
    require_quantized(quantized, apply.quantized_layers(quantized))
    return quantized


def _inputs(batch: Any, model: keras.Model) -> Any:
    """The inputs of a batch, which may have labels and weights beside them."""
    pair = isinstance(batch, tuple) and len(batch) in (2, 3)
    return batch[0] if pair and len(batch) != len(model.inputs) else batch


class Scheme(QuantizeScheme):
    """The scheme of a precision for `tfmot.quantization.keras.quantize_apply`.

    What is annotated is quantized, where it has products, and nothing else. A tfmot
    `QuantizeConfig` of an annotated layer is kept. Use a scheme for one model.

    Args:
        precision: as of `quantize_model`.
        overrides: as of `quantize_model`.
        patches: as of `quantize_model`.
    """

    def __init__(
        self,
        precision: str = "w4a8",
        overrides: Overrides | None = None,
        patches: str | None = None,
    ):
        self._precision = precision
        self._overrides = overrides
        self._patches = patches
        self._registry: _AnnotatedRegistry | None = None

    def get_layout_transformer(self) -> "Scheme":
        """This scheme: see `apply`."""
        return self

    def apply(
        self, model: keras.Model, layer_quantize_map: Mapping[str, Any]
    ) -> tuple[keras.Model, dict[str, Any]]:
        """The model in products, and the products among what was annotated."""
        products = _in_products(model, self._patches)
        config = QuantizationConfig(
            self._precision, overrides=by_pattern(self._overrides, products)
        )
        registry = config.registry()
        found = {}
        for layer in products.layers:
            given = _annotation(layer.name, layer_quantize_map)
            if given is not None and (registry.supports(layer) or given.get("quantize_config")):
                found[layer.name] = given
        require_quantized(products, found)
        self._registry = _AnnotatedRegistry(registry, set(found))
        return products, found

    def get_quantize_registry(self) -> "_AnnotatedRegistry":
        """The registry of the model that `apply` saw."""
        assert self._registry is not None  # tfmot transforms the layout first
        return self._registry


def _annotation(name: str, annotated: Mapping[str, Any]) -> Any:
    """Of a layer, or of the one that it is a part of, as `attention.query` of `attention`."""
    while name not in annotated and "." in name:
        name = name.rpartition(".")[0]
    return annotated.get(name)


class _AnnotatedRegistry:
    """Supports annotated layers alone: tfmot asks for those before them, too."""

    def __init__(self, registry: PrecisionRegistry, names: set[str]):
        self._registry = registry
        self._names = names

    def supports(self, layer: keras.layers.Layer) -> bool:
        """Whether the layer was annotated and has a product."""
        return layer.name in self._names and self._registry.supports(layer)

    def get_quantize_config(self, layer: keras.layers.Layer) -> Any:
        """As of `PrecisionRegistry`."""
        return self._registry.get_quantize_config(layer)


def by_pattern(overrides: Overrides | None, model: keras.Model) -> dict[str, str]:
    """Precisions by regular expression: a function is asked for each product of the model."""
    if overrides is None or isinstance(overrides, Mapping):
        return dict(overrides or {})
    found = {}
    for layer in _products(model):
        precision = overrides(layer)
        if precision is not None:
            found[f"^{re.escape(layer.name)}$"] = precision
    return found


def _quantized(products: keras.Model, config: QuantizationConfig) -> keras.Model:
    """A model in products with quantized weights. Raises `UserError` if none are."""
    quantized = apply.quantize_model(products, config)
    require_quantized(quantized, apply.quantized_layers(quantized))
    return quantized


def require_quantized(model: keras.Model, quantized: Mapping[str, Any]) -> None:
    """Raise `UserError` if nothing is quantized."""
    if quantized:
        return
    kinds = sorted({type(layer).__name__ for layer in model.layers if layer.weights})
    layers = f"its layers with weights are {', '.join(kinds)}, and none has a product that is not"
    why = f"{layers} {FLOAT}" if kinds else "it has no weights"
    raise UserError(f"{model.name}: nothing is quantized: {why}")


def _products(model: keras.Model) -> list[ProductLayer]:
    """The layers that can be quantized."""
    return [layer for layer in model.layers if isinstance(layer, ProductLayer)]


def _in_products(model: keras.Model, patches: str | None) -> keras.Model:
    """The model in layers of one product each; it may have been written in these."""
    require_graph(model)
    require(
        not apply.quantized_layers(model),
        f"{model.name}: it is quantized: begin with the float one",
    )
    if _products(model) and not isinstance(model, keras.Sequential):
        return model
    _require_float32(model)
    rewriter = stock_rewriter(patches)
    products = rewriter.rewrite(model)
    for left in rewriter.left:
        logger.info("%s (%s) stays float: %s", left.name, left.kind, left.reason)
    return products


def _require_float32(model: keras.Model) -> None:
    """Raise `UserError` if layers compute in another type."""
    for layer in model.layers:
        kind = layer.compute_dtype
        if layer.weights and kind in ("float16", "bfloat16", "float64"):
            raise UserError(
                f"{model.name}: {layer.name} computes in {kind}: build the model in float32"
            )
