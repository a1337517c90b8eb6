"""Rewrite a Functional model layer by layer; the function that it computes stays the same."""

import contextlib
import inspect
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import tensorflow as tf
from tensorflow import keras

from asr_qat.arrays import Array
from asr_qat.compat import inputs_of_call, nodes
from asr_qat.errors import UserError
from asr_qat.quantize.stock.left import Left, reason_without_rule

logger = logging.getLogger(__name__)

LayerType = TypeVar("LayerType", bound=keras.layers.Layer)
Call = Callable[..., Any]  # what a layer is replaced by: a function of the arguments of its call
Rule = Callable[[keras.layers.Layer, "Rewriter"], Call | str]
Folds = Mapping[int, keras.layers.BatchNormalization]  # by the identity of the layer before it


class Rewriter:
    """Makes the same function of other layers. Models inside of a model become part of it.

    Args:
        rules: by the class of a layer: gives what takes its place, or why it stays.
        find_folds: gives the layers of a model, and of those inside of it, that take over the
            batch normalisation after them.
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
        self._patches = None if patches is None else pattern(patches)
        self._patched = False
        self._folds: Folds = {}
        self._taken: set[int] = set()
        self.prefix = ""
        self._weights: list[tuple[keras.layers.Layer, list[Array]]] = []
        self._replaced: dict[int, Call] = {}  # by the identity of a layer: it may be shared

    def rewrite(self, model: keras.Model) -> keras.Model:
        """The model in other layers, with its weights.

        Args:
            model: Functional, or Sequential and built.

        Raises:
            UserError: the model is neither, or `patches` matches nothing in it; or the same
                function cannot be made.
        """
        require_graph(model)
        if any(type(layer).__name__ == "AddLoss" for layer in model.layers):
            raise UserError(f"{model.name}: its add_loss would be lost: give the loss to compile")
        inputs = [
            keras.Input(batch_shape=x.shape, dtype=x.dtype, name=layer.name)
            for x, layer in zip(tf.nest.flatten(model.inputs), model._input_layers, strict=True)
        ]
        self._folds = self._find_folds(model)
        outputs = self._outputs(model, inputs)
        if self._patches is not None and not self._patched:
            raise UserError(
                f"patches: '{self._patches.pattern}' matches no convolution of several elements"
            )
        made = self._named(model, inputs, outputs)
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
        try:
            config = {**layer.get_config(), "name": self.prefix + layer.name}
            made: LayerType = layer.__class__.from_config(config)
        except (NotImplementedError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise UserError(
                f"{layer.name}: {type(layer).__name__} cannot be made again from its get_config: "
                f"Keras needs that to clone or load a model, too ({reason})"
            ) from None
        self._weights.append((made, layer.get_weights()))
        return made

    def as_patches(self, layer: keras.layers.Layer) -> bool:
        """Whether a convolution is wanted as a product of patches."""
        wanted = self._patches is not None and bool(self._patches.search(self.prefix + layer.name))
        self._patched |= wanted
        return wanted

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
        values = {id(old): x for old, x in zip(tf.nest.flatten(model.inputs), inputs, strict=True)}

        def mapped(value: Any) -> Any:
            return tf.nest.map_structure(lambda each: values.get(id(each), each), value)

        for node in nodes(model):
            if isinstance(node.layer, keras.layers.InputLayer):
                continue
            require_no_variable(node)
            given = mapped(node.call_kwargs)
            if training is not None and "training" in inspect.signature(node.layer.call).parameters:
                given = {"training": training, **given}
            outputs = self.replacement(node.layer)(*mapped(node.call_args), **given)
            before, after = tf.nest.flatten(node.outputs), tf.nest.flatten(outputs)
            values.update({id(old): new for old, new in zip(before, after, strict=True)})
        return mapped(model.output)

    def _named(self, model: keras.Model, inputs: list[Any], outputs: Any) -> keras.Model:
        """A model whose outputs have the names of those of another: losses go by them."""
        given = tf.nest.pack_sequence_as(model.input, inputs)
        made = keras.Model(given, outputs, name=model.name)
        taken = {layer.name for layer in made.layers}
        found = tf.nest.flatten(outputs)
        for index, name in enumerate(model.output_names):
            if made.output_names[index] != name and name not in taken:
                found[index] = keras.layers.Activation("linear", name=name)(found[index])
        return keras.Model(given, tf.nest.pack_sequence_as(outputs, found), name=model.name)

    def _new_replacement(self, layer: keras.layers.Layer) -> Call:
        if isinstance(layer, keras.Model):
            require_graph(layer)
            return lambda x, training=None, **_: self._nested(
                layer, inputs_of_call(layer, x), training
            )
        require_known_activations(layer)
        rule = self._rules.get(type(layer))
        found = rule(layer, self) if rule else reason_without_rule(layer)
        if not isinstance(found, str):
            _warn_of_constraints(layer)
            return found
        if layer.weights:
            self.left.append(Left(self.prefix + layer.name, type(layer).__name__, found))
        same: Call = self.copy(layer)
        return same

    def _nested(self, model: keras.Model, inputs: list[Any], training: bool | None) -> Any:
        pairs = zip(inputs, model.inputs, strict=True)  # of which Keras makes one type
        inputs = [x if x.dtype == own.dtype else tf.cast(x, own.dtype) for x, own in pairs]
        with self.inside(model.name):
            return self._outputs(model, inputs, training)


def pattern(patches: str) -> re.Pattern[str]:
    """The regular expression of `patches`. Raises `UserError` if it is none."""
    try:
        return re.compile(patches)
    except re.error as error:
        raise UserError(f"patches: '{patches}' is not a regular expression ({error})") from None


def require_known_activations(layer: keras.layers.Layer) -> None:
    """Raise `UserError` if Keras would take another function for an activation of one's own.

    It stores the name alone, and knows functions of the same name, such as `gelu`.
    """
    for role in ("activation", "recurrent_activation"):
        function = getattr(layer, role, None)
        if not inspect.isfunction(function) or not _of(layer, "keras", "tf_keras"):
            continue
        try:
            stored = keras.activations.serialize(function)
            known = _of(function, "keras", "tf_keras", "tensorflow")
            known = known or keras.activations.get(stored) is function
        except (TypeError, ValueError):
            known = False
        if not known:
            raise UserError(
                f"{layer.name}: Keras does not know its {role} {function.__name__} by name: "
                "decorate the function with @keras.utils.register_keras_serializable()"
            )


def require_no_variable(node: Any) -> None:
    """Raise `UserError` if an operation reads the weights of a layer: a copy would not."""
    for each in tf.nest.flatten([node.call_args, node.call_kwargs]):
        if isinstance(each, tf.Variable):
            raise UserError(
                f"{node.layer.name}: it reads the variable {each.name}, which a copy of "
                "the model cannot share: make a layer of the operation"
            )


def _of(thing: Any, *packages: str) -> bool:
    module = thing.__module__ if inspect.isfunction(thing) else type(thing).__module__
    return module.partition(".")[0] in packages


def require_graph(model: keras.Model) -> None:
    """Raise `UserError` if a model has no graph of layers."""
    if isinstance(model, keras.Sequential) and not model.built:
        raise UserError(f"{model.name}: the model has no input shape: begin it with keras.Input")
    if not hasattr(model, "_nodes_by_depth"):
        raise UserError(
            f"{model.name}: {type(model).__name__} is a subclassed model, and shows its layers "
            "only while it runs: build it as keras.Model(inputs, outputs), calling its parts"
        )


def _warn_of_constraints(layer: keras.layers.Layer) -> None:
    """Say which constraints of weights the product in place of a stock layer does not keep."""
    config = layer.get_config()
    names = [key for key, value in config.items() if key.endswith("_constraint") and value]
    if names:
        logger.warning("%s: %s not kept in training from here on", layer.name, ", ".join(names))
