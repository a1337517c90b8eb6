"""The functions of a float model that become signatures of the `.tflite`.

CTC model       encode_FRAMES  features, lengths -> logits `[1, time, classes]`
transducer      encode_FRAMES  features, lengths -> encoded `[1, time, joint]`
                predict        label int32 `[1, 1]`, states -> predicted `[1, 1, joint]`, states
                join           encoded `[1, 1, joint]`, predicted -> logits `[1, 1, 1, classes]`

The classes are the labels, the blank, and of a token-and-duration transducer the durations.
There is an encode function for each of a few lengths, since a fixed time axis keeps the whole
graph in one delegate: features `[1, FRAMES, mel_bins]`, lengths int32 `[1]`. The prediction
network takes one step at a time, its state comes in and goes out; the search is outside. Those
of live models are in `asr_qat.models.live_signatures`.
"""

from collections.abc import Sequence

import tensorflow as tf
from tensorflow import keras

from asr_qat.models.kind import Signatures
from asr_qat.models.transducer_functions import TransducerFunctions


def encode_signatures(model: keras.Model, lengths: Sequence[int], output: str) -> Signatures:
    """An encode function for each length.

    Args:
        model: from features and lengths to what the search reads.
        lengths: feature frames.
        output: name of the result.
    """
    return {f"encode_{frames}": _encode(model, frames, output) for frames in lengths}


def search_signatures(functions: TransducerFunctions) -> Signatures:
    """The two functions that the search of a transducer calls: predict and join."""
    return {"predict": _predict(functions), "join": _join(functions)}


def _encode(model: keras.Model, frames: int, output: str):
    mel_bins = model.inputs[0].shape[-1]

    def encode(features, lengths):
        return {output: model([features, lengths], training=False)}

    return concrete(
        encode,
        tf.TensorSpec([1, frames, mel_bins], name="features"),
        tf.TensorSpec([1], tf.int32, name="lengths"),
    )


def _predict(functions: TransducerFunctions):
    names = [name for name, _ in functions.states]

    def predict(label, **states):
        predicted, *after = functions.predict(
            [label, *(states[name] for name in names)], training=False
        )
        return {"predicted": predicted, **dict(zip(names, after, strict=True))}

    states = {name: tf.TensorSpec([1, units], name=name) for name, units in functions.states}
    return concrete(predict, tf.TensorSpec([1, 1], tf.int32, name="label"), **states)


def _join(functions: TransducerFunctions):
    def join(encoded, predicted):
        return {"logits": functions.join([encoded, predicted], training=False)}

    frame = [1, 1, functions.joint]
    return concrete(
        join, tf.TensorSpec(frame, name="encoded"), tf.TensorSpec(frame, name="predicted")
    )


def concrete(function, *specs: tf.TensorSpec, **named: tf.TensorSpec):
    """The function of tensors of these shapes, with a dictionary of results."""
    return tf.function(function, autograph=False).get_concrete_function(*specs, **named)
