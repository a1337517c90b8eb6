"""Recognition with a Keras model: tf.functions around its parts, the search in numpy."""

from typing import Protocol

import numpy as np
import tensorflow as tf
from tensorflow import keras

from asr_qat.audio.front_end import subsampled_length
from asr_qat.decoding.recognition import Recognition, recognise_ctc, recognise_transducer
from asr_qat.decoding.transducer_greedy import greedy_transducer
from asr_qat.decoding.transducer_steps import State
from asr_qat.models.conformer import halvings_of
from asr_qat.models.layer_names import FIRST, Pass
from asr_qat.models.transducer_functions import TransducerFunctions


class Decoder(Protocol):
    """Tokens of a batch of utterances."""

    def encode(self, features, lengths) -> np.ndarray:
        """What the search reads, `[batch, frames, channels]`, of normalised features.

        Args:
            features: float32 `[batch, time, mel_bins]`.
            lengths: int32 `[batch]`.
        """

    def search(self, encoded: np.ndarray, lengths: np.ndarray) -> list[list[int]]:
        """Token ids of each utterance; `lengths` are those of the features."""

    def recognise(self, encoded: np.ndarray) -> Recognition:
        """Search in one utterance alone, `[frames, channels]` without padding."""


class CTCDecoder:
    """Greedy search in the logits of a CTC model: a `Decoder`."""

    def __init__(self, model: keras.Model):
        self._encode = _encoder(model)
        self._halvings = halvings_of(model)

    def encode(self, features, lengths):
        """As in `Decoder`."""
        return self._encode(features, lengths).numpy()

    def search(self, encoded, lengths):
        """As in `Decoder`."""
        frames = subsampled_length(lengths, self._halvings)
        return [recognise_ctc(row[:n]).tokens for row, n in zip(encoded, frames, strict=True)]

    def recognise(self, encoded):
        """As in `Decoder`."""
        return recognise_ctc(encoded)


class TransducerDecoder:
    """Greedy search with a transducer, all utterances of a batch at a time: a `Decoder`.

    It is also the `TransducerSteps` that any other search takes.

    Args:
        model: quantized or not.
        pass_name: see `TransducerFunctions`.
    """

    def __init__(self, model: keras.Model, pass_name: Pass = FIRST):
        functions = TransducerFunctions(model, pass_name)
        self.blank, self.durations = functions.blank, functions.durations
        self._units = [units for _, units in functions.states]
        self._encode = _encoder(functions.encode)
        self._halvings = halvings_of(model)
        self._predict = _forward(
            functions.predict,
            tf.TensorSpec([None, 1], tf.int32),
            *(tf.TensorSpec([None, units]) for units in self._units),
        )
        self._join = _forward(functions.join, *[tf.TensorSpec([None, 1, functions.joint])] * 2)

    def encode(self, features, lengths):
        """As in `Decoder`."""
        return self._encode(features, lengths).numpy()

    def search(self, encoded, lengths):
        """As in `Decoder`."""
        return greedy_transducer(self, encoded, subsampled_length(lengths, self._halvings))

    def recognise(self, encoded):
        """As in `Decoder`."""
        return recognise_transducer(self, encoded)

    def initial_state(self, rows: int) -> State:
        """As in `TransducerSteps`."""
        return tuple(np.zeros((rows, units), np.float32) for units in self._units)

    def predict(self, labels, state):
        """As in `TransducerSteps`."""
        predicted, *state = self._predict(labels[:, None], *state)
        return predicted.numpy()[:, 0], tuple(part.numpy() for part in state)

    def join(self, encoded, predicted):
        """As in `TransducerSteps`."""
        return self._join(encoded[:, None], predicted[:, None]).numpy()[:, 0, 0]


def _encoder(model: keras.Model):
    features = tf.TensorSpec([None, None, model.inputs[0].shape[-1]])
    return _forward(model, features, tf.TensorSpec([None], tf.int32))


def _forward(model: keras.Model, *signature: tf.TensorSpec):
    """The model's inference as one traced function of several tensors."""
    return tf.function(
        lambda *inputs: model(list(inputs), training=False),
        input_signature=signature,
        autograph=False,
    )
