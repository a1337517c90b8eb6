"""A `.tflite` with the signatures of a live model, of random weights, and its formulas in numpy."""

import tempfile

import numpy as np
import pytest

from asr_qat.audio.front_end import FrontEndConfig
from asr_qat.decoding.live_format import LiveFormat
from tests.conftest import made_once
from tests.live_reference import TOKENIZER

MEL_BINS, DIM, JOINT, UNITS = 80, 8, 6, 5
LOOK_AHEAD, DELAY = 1, 2
LIVE_FORMAT = LiveFormat(
    frame_ms=40.0,
    features=4,
    chunks=(1, 3),
    left_context=0,
    first_delay=LOOK_AHEAD,
    second_delay=LOOK_AHEAD + DELAY,
    states={
        "causal": {"causal_kept": (1, LOOK_AHEAD, DIM), "causal_valid": (1, LOOK_AHEAD)},
        "cascade": {"cascade_kept": (1, DELAY, DIM), "cascade_valid": (1, DELAY)},
    },
    positions={"causal": {"causal_positions": (1, 1, DIM)}, "cascade": {}},
)
rng = np.random.default_rng(4)


def weights(*shape, scale=1.0):
    return (scale * rng.standard_normal(shape)).astype(np.float32)


CLASSES = TOKENIZER.vocab_size + 1
FIRST = weights(4 * MEL_BINS, DIM, scale=0.3)
SECOND = weights(DIM, DIM, scale=0.8)
POSITION = weights(DIM)
JOIN_FIRST, JOIN_SECOND = weights(DIM, JOINT), weights(DIM, JOINT)
EMBEDDING, RECURRENT = weights(CLASSES, UNITS), weights(UNITS, UNITS, scale=0.5)
OUT, KERNEL = weights(UNITS, JOINT), weights(JOINT, CLASSES, scale=2.0)
BIAS = np.eye(CLASSES, dtype=np.float32)[-1] * 3


def offline_encoded(features):
    """Both passes over whole frames `[4 * frames, mel_bins]`: `[frames, joint]` each."""
    frames = np.tanh(ahead(features.reshape(-1, 4 * MEL_BINS) @ FIRST, LOOK_AHEAD) + POSITION)
    second = np.tanh(ahead(frames @ SECOND, DELAY))
    return frames @ JOIN_FIRST, second @ JOIN_SECOND


def ahead(x, count):
    padded = np.concatenate([x, np.zeros((count, x.shape[1]), x.dtype)])
    return sum(padded[k : k + len(x)] for k in range(count + 1))


def _signatures():
    import tensorflow as tf

    def delayed(x, valid, kept, masks, count):
        x = tf.concat([kept, x * valid[..., None]], axis=1)
        masks = tf.concat([masks, valid], axis=1)
        time = valid.shape[1]
        summed = tf.add_n([x[:, k : k + time] for k in range(count + 1)])
        return summed, masks[:, :time], x[:, time:], masks[:, time:]

    def causal(frames):
        def run(features, valid, causal_positions, causal_kept, causal_valid):
            x = tf.reshape(features, [frames, 4 * MEL_BINS]) @ FIRST
            x, mask, kept, masks = delayed(
                x[None], valid[:, ::4], causal_kept, causal_valid, LOOK_AHEAD
            )
            x = tf.tanh(x + causal_positions)
            encoded = tf.reshape(tf.reshape(x, [frames, DIM]) @ JOIN_FIRST, [1, frames, JOINT])
            return {
                "frames": x,
                "valid": mask,
                "encoded": encoded,
                "causal_kept": kept,
                "causal_valid": masks,
            }

        return concrete(
            run,
            features=[1, 4 * frames, MEL_BINS],
            valid=[1, 4 * frames],
            causal_positions=[1, 1, DIM],
            causal_kept=[1, LOOK_AHEAD, DIM],
            causal_valid=[1, LOOK_AHEAD],
        )

    def cascade(count):
        def run(frames, valid, cascade_kept, cascade_valid):
            x = tf.reshape(tf.reshape(frames, [count, DIM]) @ SECOND, [1, count, DIM])
            x, mask, kept, masks = delayed(x, valid, cascade_kept, cascade_valid, DELAY)
            encoded = tf.reshape(tf.tanh(x), [count, DIM]) @ JOIN_SECOND
            return {
                "valid": mask,
                "encoded": encoded[None],
                "cascade_kept": kept,
                "cascade_valid": masks,
            }

        return concrete(
            run,
            frames=[1, count, DIM],
            valid=[1, count],
            cascade_kept=[1, DELAY, DIM],
            cascade_valid=[1, DELAY],
        )

    def predict(label, memory):
        one_hot = tf.one_hot(label[0], CLASSES)
        after = tf.tanh(one_hot @ EMBEDDING + memory @ RECURRENT)
        return {"predicted": (after @ OUT)[None], "memory": after}

    def join(encoded, predicted):
        logits = tf.tanh(encoded + predicted)[0] @ KERNEL + BIAS
        return {"logits": logits[None, None]}

    def concrete(function, **shapes):
        specs = {
            name: tf.TensorSpec(shape, tf.int32 if name == "label" else tf.float32, name=name)
            for name, shape in shapes.items()
        }
        return tf.function(function).get_concrete_function(**specs)

    return {
        **{f"causal_{c}": causal(c) for c in (1, 3)},
        **{f"cascade_{c}": cascade(c) for c in (1, 3)},
        "positions": concrete(
            lambda one: {"causal_positions": one[:, None, None] * POSITION}, one=[1]
        ),
        "predict": concrete(predict, label=[1, 1], memory=[1, UNITS]),
        "join": concrete(join, encoded=[1, 1, JOINT], predicted=[1, 1, JOINT]),
    }


@pytest.fixture(scope="session")
def live_file(shared_folder):
    """The path of the file."""
    return made_once(shared_folder / "live.tflite", lambda path: path.write_bytes(_content()))


def _content() -> bytes:
    import tensorflow as tf
    from ai_edge_litert import schema_py_generated as schema

    from tflite_export.convert.serialize import attach_metadata, serialize
    from tflite_export.runtime.metadata import Metadata
    from tflite_export.silence import silence

    functions = _signatures()
    with silence(), tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(tf.Module(), folder, signatures=functions)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(functions))
        content = converter.convert()
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    mean, std = np.full(MEL_BINS, -8.0), np.full(MEL_BINS, 3.0)
    metadata = Metadata(
        "float", "float", FrontEndConfig(), mean, std, TOKENIZER, {}, live=LIVE_FORMAT
    )
    attach_metadata(model, metadata)
    return serialize(model)


@pytest.fixture(scope="session")
def live_model(live_file):
    from tflite_export.runtime.live.live_model import load_model

    return load_model(live_file)
