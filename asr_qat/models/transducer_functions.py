"""The three functions that recognition needs, made of a transducer's layers."""

from tensorflow import keras

from asr_qat.compat import layer_output, unwrapped
from asr_qat.models.layer_names import FIRST, JOINT_ENCODER, JOINT_OUTPUT, Pass
from asr_qat.models.prediction import predict, states


class TransducerFunctions:
    """Encode, predict and join, with a model's own layers and weights, quantized or not.

    Args:
        model: from `build_transducer` or `build_live_transducer`, also after `quantize_model`.
        pass_name: of a live model, whose frames `encode` gives.

    Attributes:
        encode: `[features [batch, time, mel_bins], lengths int32 [batch]]` to
            `[batch, frames, joint]`.
        predict: `[label int32 [batch, 1], *state]` to `[predicted [batch, 1, joint], *state]`.
        join: `[encoded [batch, 1, joint], predicted [batch, 1, joint]]` to logits
            `[batch, 1, 1, classes]`.
        states: name and channels of each state, float32 `[batch, channels]`; all zeros at the
            beginning.
        joint: channels of `encoded` and `predicted`.
        blank: class of the blank; also the label that an utterance begins with.
        durations: frames of each class after the blank, see `TransducerConfig`.
    """

    def __init__(self, model: keras.Model, pass_name: Pass = FIRST):
        layers = {layer.name: layer for layer in model.layers}
        features, lengths, _ = model.inputs
        encoded = layer_output(model, JOINT_ENCODER[pass_name])
        self.encode = keras.Model([features, lengths], encoded)
        self.states = states(layers)
        label = keras.Input((1,), dtype="int32", name="label")
        state = [keras.Input((units,), name=name) for name, units in self.states]
        predicted, after = predict(label, state, layers)
        self.predict = keras.Model([label, *state], [predicted, *after])
        self.joint = encoded.shape[-1]
        pair = [keras.Input((1, self.joint)), keras.Input((1, self.joint))]
        self.join = keras.Model(pair, layers[JOINT_OUTPUT](pair))
        self.durations = unwrapped(layers[JOINT_OUTPUT]).durations
        self.blank = layers["prediction_labels"].start
