"""The three functions that recognition needs, cut from a transducer: encode, predict, join."""

from tensorflow import keras

STATES = ("prediction_output_state", "prediction_cell_state", "prediction_label_state")
RECURRENCES = ("prediction_lstm", "prediction_last_labels")


class TransducerFunctions:
    """Parts of a trained model, with its own layers and weights, quantized or not.

    Args:
        model: from `build_transducer`, also after `quantize_model`.

    Attributes:
        encode: `[features [batch, time, mel_bins], lengths int32 [batch]]` to
            `[batch, frames, joint]`.
        predict: `[labels int32 [batch, 1], *state]` to `[predicted [batch, 1, joint], *state]`.
        state_units: channels of each state, float32 `[batch, units]`; zeros at the beginning.
        blank: class of the blank; also the label that an utterance begins with.
    """

    def __init__(self, model: keras.Model):
        layers = {layer.name: layer for layer in model.layers}
        features, lengths, _ = model.inputs
        self.encode = keras.Model([features, lengths], layers["joint_encoder"].output)
        states = [layers[name].output for name in STATES if name in layers]
        (recurrence,) = (layers[name] for name in RECURRENCES if name in layers)
        self.predict = keras.Model(
            [layers["prediction_labels"].output, *states],
            [layers["joint_prediction"].output, *recurrence.output[1:]],
        )
        self.state_units = [state.shape[-1] for state in states]
        self.joint = layers["joint_output"]
        self.blank = layers["prediction_labels"].start

    def join(self, encoded, predicted):
        """Logits `[batch, classes]` of one frame and one prediction, `[batch, joint]` each."""
        return self.joint([encoded[:, None], predicted[:, None]])[:, 0, 0]
