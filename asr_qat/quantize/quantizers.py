"""The tfmot quantizer of a kernel: any grid of `asr_qat.quantize.grids`, any activations."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Literal

import tensorflow as tf
import tensorflow_model_optimization as tfmot
from tensorflow import keras

from asr_qat.quantize.grids import (
    Grid,
    best_share,
    blocks_of,
    device_scale,
    grid_of,
    on_grid,
    values,
)
from asr_qat.quantize.precision import FLOAT_BITS, Precision
from asr_qat.quantize.products import QuantizedKernel
from asr_qat.quantize.static_ranges import StaticRange, StaticRanges

SEARCH_EVERY = 100  # steps between two searches for the range of a clipped grid
Variables = dict[str, tf.Variable]  # what a quantizer remembers, by name
ActivationRanges = Literal["averaged", "learned"]


class KernelQuantizer(tfmot.quantization.keras.quantizers.Quantizer):
    """Hands integers and scales of a kernel to its layer.

    Args:
        precision: of weights and activations.
        native: integer product, or fake quantization.
        start_step: training steps before the quantization begins.
        stages: widths of the weights on the way, each with the training step that it begins at;
            none is below that of `precision`.
        activation_ranges: how static ranges of activations are found in training.
    """

    def __init__(
        self,
        precision: Precision,
        native: bool,
        start_step: int = 0,
        stages: Sequence[tuple[int, int]] = (),
        activation_ranges: ActivationRanges = "averaged",
    ):
        self.precision = precision
        self.native = native
        self.start_step = start_step
        self.stages = [(step, max(bits, precision.weight_bits)) for step, bits in stages]
        self.activation_ranges = activation_ranges

    @property
    def complete_step(self) -> int:
        """Training steps before the kernel is quantized at its own width."""
        reached = [step for step, bits in self.stages if bits == self.precision.weight_bits]
        return max([self.start_step, *reached[:1]])

    def build(self, tensor_shape: Any, name: str, layer: keras.layers.Layer) -> Variables:
        """Adds what this precision has to remember; `initialize` gives it sensible values."""
        precision, found = self.precision, {}
        if self.start_step or self.stages or precision.range == "clip":
            found["step"] = self._add_step(layer, name)
        *inputs, outputs = tensor_shape
        shape = [1, outputs]
        if precision.block:
            shape = [math.prod(inputs) // precision.block, *shape]
        if precision.range == "clip":
            found["share"] = self._add(layer, f"{name}_share", shape, trainable=False)
        if precision.range == "learned":
            found["scale"] = self._add(layer, f"{name}_scale", shape, trainable=True)
            if precision.asymmetric:
                found["offset"] = self._add(layer, f"{name}_offset", shape, trainable=True)
        if precision.static:
            learned = self.activation_ranges == "learned"
            for end in ("input_low", "input_high", "output_low", "output_high"):
                found[end] = self._add(layer, f"{name}_{end}", [], trainable=learned)
        return found

    def _add_step(self, layer: keras.layers.Layer, name: str) -> tf.Variable:
        return layer.add_weight(
            name + "_step",
            shape=(),
            dtype=tf.int64,
            trainable=False,
            initializer="zeros",
            # Each replica of a distributed training counts for itself.
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )

    def _add(
        self, layer: keras.layers.Layer, name: str, shape: list[int], trainable: bool
    ) -> tf.Variable:
        options: dict[str, Any] = {}
        if not trainable:  # one value on all replicas of a distributed training
            options["aggregation"] = tf.VariableAggregation.MEAN
        return layer.add_weight(name, shape, trainable=trainable, initializer="ones", **options)

    def initialize(self, kernel: tf.Tensor, variables: Variables) -> None:
        """Set a searched or learned range from the kernel `[..., output]`."""
        if self.precision.range not in ("clip", "learned"):
            return
        weights = blocks_of(tf.convert_to_tensor(kernel), self.precision.block)
        share = best_share(weights, self._precision_now(variables))
        if self.precision.range == "clip":
            variables["share"].assign(share)
            return
        grid = grid_of(weights, self.precision, share)
        variables["scale"].assign(grid.scale)
        if grid.offset is not None:
            variables["offset"].assign(grid.offset)

    def __call__(
        self, inputs: tf.Tensor, training: Any, weights: Variables, **kwargs: Any
    ) -> QuantizedKernel:
        """The `QuantizedKernel` of the float weights `inputs` `[..., output]`."""
        kernel = tf.convert_to_tensor(inputs)
        active = None
        if self.start_step:
            active = weights["step"] >= self.start_step
        if training and "share" in weights:
            self._search(kernel, weights)
        integers, grid = self.quantize(kernel, weights)
        if training and "step" in weights:
            weights["step"].assign_add(1)
        return QuantizedKernel(
            integers,
            grid,
            self.precision.activation_bits,
            self.native,
            kernel,
            active,
            self.ranges(weights, bool(training)),
            trained=kernel if self._all_on_grid() else None,
        )

    def _all_on_grid(self) -> bool:
        """Whether no weight lies beyond the grid, and the grid is a constant for the gradient."""
        precision = self.precision
        ranged = precision.range in ("max", "aqt") and precision.weight_bits != FLOAT_BITS
        return ranged and not (precision.static or precision.block or precision.asymmetric)

    def quantize(self, kernel: tf.Tensor, variables: Variables) -> tuple[tf.Tensor, Grid]:
        """Integers `[input, output]`, or `[blocks, block, output]`, and their grid.

        Args:
            kernel: `[..., output]`; all axes but the last are inputs.
            variables: from `build`.
        """
        weights = blocks_of(kernel, self.precision.block)
        if self.precision.weight_bits == FLOAT_BITS:
            return weights, Grid(tf.ones([1, weights.shape[-1]]))
        precision = self._precision_now(variables)
        if precision.range == "learned":
            offset = variables["offset"] + 0.0 if "offset" in variables else None
            grid = Grid(device_scale(tf.abs(variables["scale"]), precision), offset)
        else:
            grid = grid_of(weights, precision, variables.get("share", 1.0))
        return on_grid(weights, grid, precision), grid

    def _precision_now(self, variables: Variables) -> Precision:
        """The precision with the width of the stage; that is a scalar tensor, as the step is."""
        if not self.stages:
            return self.precision
        bits = tf.constant(float(self.stages[0][1]))
        for step, width in self.stages[1:]:
            bits = tf.where(variables["step"] >= step, float(width), bits)
        return dataclasses.replace(self.precision, weight_bits=bits)

    def rounded(self, kernel: tf.Tensor, variables: Variables) -> tf.Tensor:
        """The values that the quantized kernel stands for, in the shape of `kernel`."""
        integers, grid = self.quantize(tf.convert_to_tensor(kernel), variables)
        return tf.reshape(values(integers, grid), kernel.shape)

    def ranges(self, variables: Variables, training: bool = False) -> StaticRanges | None:
        """The static ranges of input and output, if the precision has them."""
        if not self.precision.static:
            return None
        average = training and self.activation_ranges == "averaged"
        return StaticRanges(
            StaticRange(variables["input_low"], variables["input_high"], average),
            StaticRange(variables["output_low"], variables["output_high"], average),
        )

    def _search(self, kernel: tf.Tensor, variables: Variables) -> None:
        """Search again for the ranges of a clipped grid, now and then."""

        def search() -> tf.Tensor:
            weights = blocks_of(kernel, self.precision.block)
            return tf.stop_gradient(best_share(weights, self._precision_now(variables)))

        share = variables["share"]
        due = variables["step"] % SEARCH_EVERY == 0
        for step, _ in self.stages:
            due |= variables["step"] == step
        share.assign(tf.cond(due, search, lambda: tf.convert_to_tensor(share)))

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {
            "precision": dataclasses.asdict(self.precision),
            "native": self.native,
            "start_step": self.start_step,
            "stages": self.stages,
            "activation_ranges": self.activation_ranges,
        }
