"""The Keras model whose every operator has an integer form."""

from tensorflow import keras

from asr_qat.layers.layer_norm import LayerNormalization
from asr_qat.layers.masking import FrameMask
from asr_qat.layers.relative_attention import RelativeAttention, RelativePositions
from tflite_export.convert.full_integer.layers import (
    BandedAttention,
    PlainLayerNormalization,
    PositionTable,
    SampledMask,
)


def integer_model(model: keras.Model, frames: int, context: int | None) -> keras.Model:
    """A CTC model over a mask and a fixed length.

    Args:
        model: a plain float CTC model.
        frames: feature frames.
        context: its encoder's `attention_context`.

    Returns:
        A model from features `[1, frames, mel_bins]` and a mask `[1, frames]` of its valid
        frames to logits, with the same weights.
    """

    def replaced(layer):
        name = layer.name
        if isinstance(layer, FrameMask):
            return SampledMask(layer.halvings, name=name)
        if isinstance(layer, RelativePositions):
            return PositionTable(context, name=name)
        if isinstance(layer, RelativeAttention):
            return BandedAttention(layer.heads, layer.context, name=name)
        if isinstance(layer, LayerNormalization):
            return PlainLayerNormalization(layer.affine, layer.epsilon, name=name)
        return layer.__class__.from_config(layer.get_config())

    features = keras.Input(batch_shape=(1, frames, model.inputs[0].shape[-1]), name="features")
    mask = keras.Input(batch_shape=(1, frames), name="mask")
    copy = keras.models.clone_model(model, [features, mask], clone_function=replaced)
    for layer in model.layers:
        if not layer.weights:
            continue
        twin = copy.get_layer(layer.name)
        if getattr(layer, "offset", None) is not None:
            twin.add_offset()
        twin.set_weights(layer.get_weights())
    return copy
