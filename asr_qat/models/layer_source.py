"""Where the graph of a model takes its layers from: new ones, or those of a trained model."""

from typing import Any, Protocol

from tensorflow import keras


class LayerSource(Protocol):
    """Gives the layer called `name`."""

    def __call__(self, kind: type, *args: Any, name: str, **kwargs: Any) -> keras.layers.Layer:
        """A layer `kind(*args, name=name, **kwargs)`, or one that stands for it."""


def new_layer(kind: type, *args: Any, name: str, **kwargs: Any) -> keras.layers.Layer:
    """A `LayerSource` of new layers."""
    return kind(*args, name=name, **kwargs)


def layers_of(model: keras.Model) -> LayerSource:
    """A `LayerSource` of a model's own layers, weights and quantizers included."""
    layers = {layer.name: layer for layer in model.layers}
    return lambda kind, *args, name, **kwargs: layers[name]
