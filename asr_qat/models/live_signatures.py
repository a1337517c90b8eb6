"""The functions of a live model that become signatures of the `.tflite`.

positions   one `[1]`, a 1.0                      -> a table for each attention
causal_C    features `[1, 4 * C, mel_bins]`,
            valid `[1, 4 * C]`, tables, states    -> frames `[1, C, dim]`, valid `[1, C]`,
                                                     encoded `[1, C, joint]`, states
cascade_C   frames, valid, tables, states         -> valid `[1, C]`, encoded `[1, C, joint]`, states
predict, join                                     as of a transducer of whole utterances

All are float32. A stream begins with states of zeros, and each call takes the states that the one
before it gave. The tables are computed once: their projection would cost a chunk of one frame
more than all else. What is not valid, before the first frame and after the last, comes out
with 0 in `valid`. A stream ends with chunks of `valid` 0 until all frames have come out.
"""

from collections.abc import Sequence

import tensorflow as tf
from tensorflow import keras

from asr_qat.audio.front_end import FrontEndConfig
from asr_qat.decoding.live_format import CASCADE, CAUSAL, POSITIONS, LiveFormat
from asr_qat.models.kind import Signatures
from asr_qat.models.signatures import concrete
from asr_qat.models.streaming_config import SUBSAMPLING, StreamingConfig
from asr_qat.models.streaming_functions import StreamingFunctions, zero_state


def streaming_signatures(functions: StreamingFunctions, sizes: Sequence[int]) -> Signatures:
    """The functions of both encoders.

    Args:
        functions: of a live model, not quantized.
        sizes: encoded frames of a step.
    """
    found = {POSITIONS: _of_dictionary(functions.positions)}
    for size in sorted(sizes):
        found[f"{CAUSAL}_{size}"] = _of_dictionary(functions.causal(size))
        found[f"{CASCADE}_{size}"] = _of_dictionary(functions.cascade(size))
    return found


def format_of(
    functions: StreamingFunctions,
    streaming: StreamingConfig,
    front_end: FrontEndConfig,
    sizes: Sequence[int],
) -> LiveFormat:
    """What the caller of `streaming_signatures` has to know."""
    encoders = {CAUSAL: functions.causal(min(sizes)), CASCADE: functions.cascade(min(sizes))}
    tables = _shapes(functions.positions.output)
    return LiveFormat(
        frame_ms=SUBSAMPLING * front_end.hop_ms,
        features=SUBSAMPLING,
        chunks=tuple(sorted(sizes)),
        left_context=streaming.left_context,
        first_delay=streaming.first_delay,
        second_delay=streaming.second_delay,
        states={name: _shapes(zero_state(each)) for name, each in encoders.items()},
        positions={
            name: {table: shape for table, shape in tables.items() if table in each.input}
            for name, each in encoders.items()
        },
    )


def _of_dictionary(model: keras.Model):
    """A concrete function of a model that takes and gives dictionaries."""

    def call(**inputs):
        return model(inputs, training=False)

    specs = {name: tf.TensorSpec(x.shape, x.dtype, name) for name, x in model.input.items()}
    return concrete(call, **specs)


def _shapes(tensors: dict) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}
