"""What stays float of a stock model, and why."""

import dataclasses

from tensorflow import keras


@dataclasses.dataclass(frozen=True)
class Left:
    """A layer with weights that stays float.

    Attributes:
        name: of the layer, those of the models that it is nested in before it.
        kind: its class.
        reason: why, for a person to read.
    """

    name: str
    kind: str
    reason: str


def reason_without_rule(layer: keras.layers.Layer) -> str:
    """Why a layer stays whose class has no rule."""
    kind = type(layer)
    if all(weight.shape.rank < 2 for weight in layer.weights):
        return "its weights are vectors: they take few bytes"
    stock = kind.__module__.partition(".")[0] in ("tf_keras", "keras")
    if stock:
        return f"{kind.__name__} has no quantized product"
    return f"{kind.__name__} is no stock layer: build it of stock layers to quantize them"
