"""Quantize a Functional model for training."""

import dataclasses
import itertools
import re
from typing import Literal

import tensorflow as tf
from tensorflow import keras

from asr_qat import compat
from asr_qat.bounds import MOST_STEPS, require_within
from asr_qat.compat import quantized_weight
from asr_qat.errors import UserError, require
from asr_qat.quantize import depthwise
from asr_qat.quantize.grids import Grid
from asr_qat.quantize.mixture import check_overrides, with_mixture
from asr_qat.quantize.policies import policy
from asr_qat.quantize.precision import FLOAT_BITS, WEIGHT_BITS, Precision
from asr_qat.quantize.product_layer import ProductLayer
from asr_qat.quantize.quantizers import ActivationRanges, KernelQuantizer
from asr_qat.quantize.scheme import PrecisionRegistry
from asr_qat.quantize.static_ranges import StaticRanges
from asr_qat.quantize.wrapper import QuantizeWrapperV2

STAGE_BITS = tuple(bits for bits in WEIGHT_BITS if bits not in (1, FLOAT_BITS))


@dataclasses.dataclass(frozen=True)
class QuantizationConfig:
    """How a model is quantized in training.

    Attributes:
        precision: that of every layer with a product, e.g. `w4a8` (see
            `asr_qat.quantize.precision`), or a mixture by name, e.g. `two_bit` (see
            `asr_qat.quantize.policies`). A `Conv2D` has weights of 8 bits where fewer are wanted.
        mode: `native` multiplies integers as the device does, `fake` rounded floats; `ptq` does
            what `native` does, in a model that was quantized after training.
        start_step: training steps in float before the quantization begins.
        layer_interval: training steps from the beginning of one layer's quantization to that of
            the next one, in the order of the graph.
        stages: width of the weights in bits, by the training step at which it begins: from wide
            to narrow, such as `{0: 8, 200: 4, 400: 2}`, down to that of `precision`. No layer is
            ever narrower than its own precision.
        overrides: precision, or `float`, by regular expression on the layer's name; the first
            match wins. Example: `{"^block_00_": w8a8, "ctc_output": float}`.
        overrides_from: file of further overrides, such as `asr-qat assign` writes. They come
            after `overrides`; the file is not needed again.
        activation_ranges: static ranges of activations (`a8s`) are `averaged` in training, or
            `learned` with the weights.
    """

    precision: str = "w4a8"
    mode: Literal["native", "fake", "ptq"] = "native"
    start_step: int = 0
    overrides: dict[str, str] = dataclasses.field(default_factory=dict)
    activation_ranges: ActivationRanges = "averaged"
    layer_interval: int = 0
    stages: dict[int, int] = dataclasses.field(default_factory=dict)
    overrides_from: str | None = None

    def __post_init__(self) -> None:
        """Raise `UserError` for an unknown precision or an invalid pattern."""
        require_within("start_step", self.start_step, 0, MOST_STEPS)
        policy(self.precision)
        check_overrides(self.overrides)
        if self.overrides_from is not None:
            overrides = with_mixture(self.overrides, self.overrides_from)
            object.__setattr__(self, "overrides", overrides)
            object.__setattr__(self, "overrides_from", None)
        require_within("layer_interval", self.layer_interval, 0, MOST_STEPS)
        if self.stages:
            self._check_stages()

    def _check_stages(self) -> None:
        steps, widths = sorted(self.stages), [self.stages[step] for step in sorted(self.stages)]
        known = ", ".join(map(str, STAGE_BITS))
        for bits in widths:
            require(bits in STAGE_BITS, f"stages: {bits} bits: expected one of {known}")
        falling = all(a > b for a, b in itertools.pairwise(widths))
        require(falling, "stages: the widths have to fall from step to step")
        require(
            steps[0] == self.start_step,
            f"stages: the first one begins at step {steps[0]}, not at start_step {self.start_step}",
        )
        require_within("stages", steps[-1], 0, MOST_STEPS)
        precisions = self.registry().precisions()
        least = min((precision.weight_bits for precision in precisions), default=FLOAT_BITS)
        require(
            widths[-1] == least,
            f"stages: the last one has {widths[-1]} bits, the narrowest layer {least}",
        )
        learned = any(precision.range == "learned" for precision in precisions)
        require(not learned, "stages: a learned scale is that of one width: choose another range")

    @property
    def complete_step(self) -> int:
        """Training steps before the first layer is quantized at its own width.

        With a `layer_interval` see `steps_to_complete` for the others.
        """
        return max([self.start_step, *self.stages])

    def registry(self) -> PrecisionRegistry:
        """The precision of each layer."""
        named = policy(self.precision)
        others = {k: v for k, v in named.overrides.items() if k not in self.overrides}
        return PrecisionRegistry(
            named.precision,
            {**self.overrides, **others},
            native=self.mode != "fake",
            start_step=self.start_step,
            stages=sorted(self.stages.items()),
            activation_ranges=self.activation_ranges,
        )


@tf.autograph.experimental.do_not_convert  # nothing to convert, and it takes seconds to see it
def quantize_model(model: keras.Model, config: QuantizationConfig) -> keras.Model:
    """A copy of `model`, weights included, whose products train and run quantized.

    Args:
        model: a Functional model of this package, not quantized.
        config: precisions by layer.

    Raises:
        UserError: a pattern in `config.overrides` matches no layer.
    """
    registry = config.registry()
    supported = _supported(model, config)

    def copied(layer: keras.layers.Layer) -> keras.layers.Layer:
        if layer.name not in supported:
            return layer.__class__.from_config(layer.get_config())
        product = _product(layer)
        copy = product.__class__.from_config(product.get_config())
        start = config.start_step + supported.index(layer.name) * config.layer_interval
        quantize_config = registry.get_quantize_config(product, start_step=start)
        copy.build(layer.get_input_shape_at(0))  # the wrapper adopts the weights that exist
        copy.set_weights(product.get_weights())
        return QuantizeWrapperV2(copy, quantize_config, name_prefix="")

    # What tfmot's `quantize_apply` does with `PrecisionScheme`, in one copy of the model, not four.
    quantized = keras.models.clone_model(model, clone_function=copied)
    for old, new in zip(model.layers, quantized.layers, strict=True):
        if new.name not in supported:
            new.set_weights(old.get_weights())
    for layer in quantized_layers(quantized).values():
        layer.quantizer.initialize(layer.kernel, layer.variables)
    return quantized


def _supported(model: keras.Model, config: QuantizationConfig) -> list[str]:
    """Names of the layers that are to be quantized. Raises as `quantize_model` does."""
    names = [layer.name for layer in model.layers]
    for pattern in config.overrides:
        if not any(re.search(pattern, name) for name in names):
            raise UserError(f"overrides: '{pattern}' matches no layer of the model")
    registry = config.registry()
    return [layer.name for layer in model.layers if registry.of(layer) is not None]


def _product(layer: keras.layers.Layer) -> keras.layers.Layer:
    """The layer whose kernel is quantized: itself, or what takes the place of a stock one."""
    return depthwise.product_of(layer) if depthwise.is_stock(layer) else layer


@dataclasses.dataclass(frozen=True)
class QuantizedLayer:
    """A layer as the quantizer sees it.

    Attributes:
        layer: that computes the product.
        kernel: its trained float weights `[..., output]`, a variable or a tensor.
        quantizer: turns the kernel into integers and scales.
        variables: what the quantizer remembers, by name.
    """

    layer: ProductLayer
    kernel: tf.Variable
    quantizer: KernelQuantizer
    variables: dict[str, tf.Variable]

    @property
    def bias(self) -> tf.Variable | None:
        """`[output]`, if it has one."""
        return self.layer.bias

    @property
    def precision(self) -> Precision:
        """Of the layer."""
        return self.quantizer.precision

    @property
    def steps_to_complete(self) -> int:
        """Training steps until it is quantized at its own width."""
        done = int(self.variables["step"].numpy()) if "step" in self.variables else 0
        return max(self.quantizer.complete_step - done, 0)

    def integers(self) -> tuple[tf.Tensor, Grid]:
        """Integers `[input, output]`, or `[blocks, block, output]`, and their grid."""
        return self.quantizer.quantize(tf.convert_to_tensor(self.kernel), self.variables)

    def ranges(self) -> StaticRanges | None:
        """Static ranges of input and output, if it has them."""
        return self.quantizer.ranges(self.variables)


def quantized_layers(model: keras.Model) -> dict[str, QuantizedLayer]:
    """The quantized layers of a model from `quantize_model`, by name."""
    found = {}
    for layer in model.layers:
        if isinstance(layer, compat.QuantizeWrapperV2):
            kernel, quantizer, variables = quantized_weight(layer)
            found[layer.name] = QuantizedLayer(layer.layer, kernel, quantizer, variables)
    return found


def layers_without_copy(
    model: keras.Model, config: QuantizationConfig
) -> dict[str, QuantizedLayer]:
    """The quantized layers of `quantize_model(model, config)`, by name, without that model.

    Their kernels and biases are those of the float model, not copies: for what is not trained on.

    Raises:
        UserError: a pattern in `config.overrides` matches no layer.
    """
    registry, found = config.registry(), {}
    for name in _supported(model, config):
        layer = _product(model.get_layer(name))
        found[name] = quantized_with(layer, layer.kernel, registry)
    return found


def quantized_with(
    layer: ProductLayer, kernel: tf.Tensor, registry: PrecisionRegistry
) -> QuantizedLayer:
    """A layer as `registry` quantizes it, with a float kernel that need not be its own."""
    quantizer = registry.get_quantize_config(layer).quantizer
    variables = quantizer.build(kernel.shape, "kernel", keras.layers.Layer(name=layer.name))
    quantizer.initialize(kernel, variables)
    return QuantizedLayer(layer, kernel, quantizer, variables)


def steps_to_complete(model: keras.Model) -> int:
    """Training steps until all layers of a model are quantized, each at its own width."""
    return max((layer.steps_to_complete for layer in quantized_layers(model).values()), default=0)
