"""Rewrite a Functional model layer by layer; the function that it computes stays the same."""

import contextlib
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import tensorflow as tf
from tensorflow import keras

from asr_qat.arrays import Array
from asr_qat.compat import nodes
from asr_qat.errors import UserError
from asr_qat.quantize.stock.left import Left, reason_without_rule

LayerType = TypeVar("LayerType", bound=keras.layers.Layer)
Call = Callable[..., Any]  # what a layer is replaced by: a function of the arguments of its call
Rule = Callable[[keras.layers.Layer, "Rewriter"], Call | str]
Folds = Mapping[int, keras.layers.BatchNormalization]  # by the identity of the layer before it


class Rewriter:
    """Makes the same function of other layers. Models inside of a model become part of it.

    Args:
        rules: by the class of a layer: gives what takes its place, or why it stays.
        find_folds: gives the layers of a model that take over the batch normalisation after them.
        patches: regular expression, searched in the names of convolutions: these become dense
            products of patches.

    Attributes:
        left: the layers with weights that stay as they are.
        prefix: of the names of new layers: what they are inside of.
    """

    def __init__(
        self,
        rules: Mapping[type[keras.layers.Layer], Rule],
        find_folds: Callable[[keras.Model], Folds],
        patches: str | None = None,
    ):
        self.left: list[Left] = []
        self._rules = rules
        self._find_folds = find_folds
        self._patches = patches
        self._folds: dict[int, keras.layers.BatchNormalization] = {}
        self._taken: set[int] = set()
        self.prefix = ""
        self._weights: list[tuple[keras.layers.Layer, list[Array]]] = []
        self._replaced: dict[int, Call] = {}  # by the identity of a layer: it may be shared

    def rewrite(self, model: keras.Model) -> keras.Model:
        """The model in other layers, with its weights.

        Args:
            model: Functional, or Sequential and built.

        Raises:
            UserError: the model is neither.
        """
        require_graph(model)
        inputs = [
            keras.Input(batch_shape=x.shape, dtype=x.dtype, name=layer.name)
            for x, layer in zip(tf.nest.flatten(model.inputs), model._input_layers, strict=True)
        ]
        outputs = self._outputs(model, inputs)
        made = keras.Model(tf.nest.pack_sequence_as(model.input, inputs), outputs, name=model.name)
        for layer, weights in self._weights:
            layer.set_weights(weights)
        return made

    def layer(
        self,
        cls: type[LayerType],
        name: str,
        config: Mapping[str, Any],
        weights: list[Array],
    ) -> LayerType:
        """A new layer, which gets these weights when the model is complete.

        Args:
            cls: its class.
            name: its name in its own model, such as `attention.query`.
            config: arguments of the class.
            weights: in the order of `get_weights`.
        """
        made: LayerType = cls(**config, name=self.prefix + name)
        self._weights.append((made, weights))
        return made

    def replacement(self, layer: keras.layers.Layer) -> Call:
        """What takes the place of a layer; of a shared one, the same each time."""
        if id(layer) not in self._replaced:
            self._replaced[id(layer)] = self._new_replacement(layer)
        return self._replaced[id(layer)]

    @contextlib.contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """New layers get the name of what they are inside of before their own."""
        outside, self.prefix = self.prefix, f"{self.prefix}{name}."
        try:
            yield
        finally:
            self.prefix = outside

    def copy(self, layer: LayerType) -> LayerType:
        """The same layer again, with its weights."""
        made: LayerType = layer.__class__.from_config(
            {**layer.get_config(), "name": self.prefix + layer.name}
        )
        self._weights.append((made, layer.get_weights()))
        return made

    def as_patches(self, layer: keras.layers.Layer) -> bool:
        """Whether a convolution is wanted as a product of patches."""
        return self._patches is not None and bool(
            re.search(self._patches, self.prefix + layer.name)
        )

    def take_fold(self, layer: keras.layers.Layer) -> keras.layers.BatchNormalization | None:
        """The batch normalisation that what replaces the layer has to do, too, or None."""
        normalization = self._folds.get(id(layer))
        if normalization is not None:
            self._taken.add(id(normalization))
        return normalization

    def is_taken(self, layer: keras.layers.BatchNormalization) -> bool:
        """Whether the layer before this batch normalisation has taken it over."""
        return id(layer) in self._taken

    def _outputs(self, model: keras.Model, inputs: list[Any], training: bool | None = None) -> Any:
        """The outputs of a model for these inputs, by its rewritten layers.

        Args:
            model: whose layers are called.
            inputs: in the order of `model.inputs`.
            training: as the model is called, where that is fixed.
        """
        self._folds.update(self._find_folds(model))
        values = {id(old): x for old, x in zip(tf.nest.flatten(model.inputs), inputs, strict=True)}

        def mapped(value: Any) -> Any:
            return tf.nest.map_structure(lambda each: values.get(id(each), each), value)

        for node in nodes(model):
            if isinstance(node.layer, keras.layers.InputLayer):
                continue
            given = mapped(node.call_kwargs)
            if training is not None and "training" in inspect.signature(node.layer.call).parameters:
                given = {"training": training, **given}
            outputs = self.replacement(node.layer)(*mapped(node.call_args), **given)
            before, after = tf.nest.flatten(node.outputs), tf.nest.flatten(outputs)
            values.update({id(old): new for old, new in zip(before, after, strict=True)})
        return mapped(model.output)

    def _new_replacement(self, layer: keras.layers.Layer) -> Call:
        if isinstance(layer, keras.Model):
            require_graph(layer)
            return lambda x, training=None, **_: self._nested(layer, tf.nest.flatten(x), training)
        rule = self._rules.get(type(layer))
        found = rule(layer, self) if rule else reason_without_rule(layer)
        if not isinstance(found, str):
            return found
        if layer.weights:
            self.left.append(Left(self.prefix + layer.name, type(layer).__name__, found))
        same: Call = self.copy(layer)
        return same

    def _nested(self, model: keras.Model, inputs: list[Any], training: bool | None) -> Any:
        with self.inside(model.name):
            return self._outputs(model, inputs, training)


def require_graph(model: keras.Model) -> None:
    """Raise `UserError` if a model has no graph of layers."""
    if isinstance(model, keras.Sequential) and not model.built:
        raise UserError(f"{model.name}: the model has no input shape: begin it with keras.Input")
    if not hasattr(model, "_nodes_by_depth"):
        raise UserError(
            f"{model.name}: {type(model).__name__} is a subclassed model, and shows its layers "
            "only while it runs: build it as keras.Model(inputs, outputs), calling its parts"
        )
