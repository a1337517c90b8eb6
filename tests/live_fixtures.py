"""Tiny live models with random weights, and streams through them."""

import functools

import numpy as np
import tensorflow as tf
from tensorflow import keras

from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.keras_decoder import TransducerDecoder
from asr_qat.models.layer_names import PASSES
from asr_qat.models.live_transducer import build_live_transducer
from asr_qat.models.prediction import TransducerConfig
from asr_qat.models.streaming_config import SUBSAMPLING, StreamingConfig
from asr_qat.models.streaming_functions import StreamingFunctions, zero_state
from asr_qat.quantize.apply import QuantizationConfig, quantize_model

ENCODER = EncoderConfig(2, dim=16, heads=2, feed_forward=24, kernel=4, subsampling=8)
STREAMING = StreamingConfig(2, left_context=3, look_ahead=1, right_context=2)
TRANSDUCER = TransducerConfig(embedding=6, units=8, joint=10, ctc_weight=0.5)
BINS, VOCABULARY = 20, 9


def live_model(streaming=STREAMING, config=TRANSDUCER, bins=BINS):
    """A float model away from its initial zeros and ones."""
    keras.utils.set_random_seed(0)  # else the weights depend on the tests before
    model = build_live_transducer(ENCODER, streaming, config, VOCABULARY, bins)
    rng = np.random.default_rng(0)
    for weights in model.trainable_weights:
        weights.assign_add(0.1 * rng.standard_normal(weights.shape))
    return model


class CompiledFunctions:
    """`StreamingFunctions` whose models run as graphs, a tenth of the eager time a chunk."""

    def __init__(self, model, streaming):
        self._functions = StreamingFunctions(model, ENCODER, streaming)
        self.positions = self._functions.positions

    @functools.cache  # noqa: B019  # one instance for each model
    def causal(self, frames: int):
        return self._compiled(self._functions.causal(frames))

    @functools.cache  # noqa: B019
    def cascade(self, frames: int):
        return self._compiled(self._functions.cascade(frames))

    def _compiled(self, model):
        graph = tf.function(model, autograph=False)
        graph.input, graph.output = model.input, model.output
        return graph


@functools.cache
def functions(precision: str, streaming=STREAMING):
    """Model and streaming functions; `float` or a precision of native quantization."""
    model = live_model(streaming)
    if precision != "float":
        model = quantize_model(model, QuantizationConfig(precision))
    return model, CompiledFunctions(model, streaming)


@functools.cache
def _decoders(model):
    return [TransducerDecoder(model, each) for each in PASSES]


def whole(model, features):
    """Frames of both passes of the trained graph, `[frames, joint]` each."""
    length = np.array([len(features)], np.int32)
    return [decoder.encode(features[None], length)[0] for decoder in _decoders(model)]


def normal(length, seed=0):
    """Features `[length, BINS]`."""
    return np.random.default_rng(seed).standard_normal((length, BINS)).astype(np.float32)


class KerasStream:
    """One utterance through both encoders, chunk by chunk."""

    def __init__(self, streaming_functions: CompiledFunctions):
        self._functions = streaming_functions
        self._positions = streaming_functions.positions({"one": np.ones(1, np.float32)})
        self._causal = zero_state(streaming_functions.causal(1))
        self._cascade = zero_state(streaming_functions.cascade(1))

    def push(self, features, valid):
        """Encoded frames of both passes that are valid: `[frames, joint]` each."""
        count = len(features) // SUBSAMPLING
        first = self._call(
            self._functions.causal(count),
            self._causal,
            features=features[None],
            valid=valid[None],
        )
        second = self._call(
            self._functions.cascade(count),
            self._cascade,
            frames=first["frames"],
            valid=first["valid"],
        )
        return [part["encoded"].numpy()[part["valid"].numpy() > 0] for part in (first, second)]

    def _call(self, function, state, **inputs):
        positions = {n: t for n, t in self._positions.items() if n in function.input}
        outputs = function({**inputs, **positions, **state})
        for name in state:
            assert outputs[name].shape == state[name].shape
            state[name] = outputs[name]
        return outputs


def streamed(streaming_functions, features, sizes, streaming=STREAMING):
    """Frames of both passes of a whole utterance.

    Args:
        streaming_functions: of the model.
        features: `[length, BINS]`.
        sizes: encoded frames of the chunks in turn, from the first on again after the last.
        streaming: the model's contexts.
    """
    stream, found, at, index = KerasStream(streaming_functions), [], 0, 0
    frames = -(-len(features) // SUBSAMPLING)
    while at < frames + streaming.second_delay:
        size = sizes[index % len(sizes)]
        chunk = features[SUBSAMPLING * at : SUBSAMPLING * (at + size)]
        missing = SUBSAMPLING * size - len(chunk)
        valid = np.pad(np.ones(len(chunk), np.float32), (0, missing))
        # What comes after the end is garbage, that nothing may hear.
        padded = np.pad(chunk, ((0, missing), (0, 0)), constant_values=100.0)
        found.append(stream.push(padded, valid))
        at, index = at + size, index + 1
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]
