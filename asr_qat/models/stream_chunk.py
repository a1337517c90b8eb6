"""A chunk of a stream on its way through the layers of a trained model, with explicit state.

A block whose attention reaches `future` frames ahead delays its frames by so many: it takes
the frames [t, t + C) and gives [t - future, t - future + C). What it remembers of earlier frames
are tensors of fixed sizes, all zeros before the first chunk. Which frames are valid is one
history for all blocks; it is zero before the utterance and after its end, and a block at an
accumulated delay reads another part of it. So there are no counters.
"""

import tensorflow as tf
from tensorflow import keras

from asr_qat.layers.streaming_attention import StreamingAttention
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.layer_source import LayerSource


class Memory:
    """The frames of a stream that are kept from one chunk to the next.

    Attributes:
        before: symbolic inputs by name, `[1, frames, ...]`: what was kept.
        after: by the same names, what is to be kept for the next chunk.
    """

    def __init__(self) -> None:
        self.before: dict = {}
        self.after: dict = {}

    def extended(self, x, frames: int, name: str):
        """`x` `[1, time, ...]` with the last `frames` frames before it in front of it."""
        if frames == 0:
            return x
        self.before[name] = keras.Input(batch_shape=(1, frames, *x.shape[2:]), name=name)
        extended = tf.concat([self.before[name], x], axis=1)
        self.after[name] = extended[:, x.shape[1] :]
        return extended


class ChunkEdges:
    """The `Edges` of a chunk: the last frames before it.

    Args:
        valid: `[1, time]`, mask of the feature frames.
        memory: of the stream.
    """

    def __init__(self, valid, memory: Memory):
        self._valid = valid
        self._memory = memory

    def mask(self, x, halvings: int):
        """As in `Edges`: of each 2 or 4 features the first one decides."""
        each = 2**halvings
        if each == 1:
            return self._valid
        # Not a slice with strides, which XNNPACK leaves to a slower kernel.
        time = self._valid.shape[1] // each
        return tf.reshape(tf.reshape(self._valid, [1, time, each])[:, :, :1], [1, time])

    def pad(self, x, halvings: int):
        """As in `Edges`."""
        name = ("subsampling_features", "subsampling_halves")[halvings]
        x = self._memory.extended(x, 1, name)
        return tf.pad(x, [[0, 0], [0, 0], [1, 1], [0, 0]])


class Validity:
    """Which frames of the stream are valid, now and before.

    Args:
        valid: `[1, time]`, mask of the chunk's frames as they come in.
        history: how many masks of frames before are kept.
        name: of the state.
        memory: of the stream.
    """

    def __init__(self, valid, history: int, name: str, memory: Memory):
        self._time = valid.shape[1]
        self._history = history
        self._masks = memory.extended(valid, history, name)

    def mask(self, delay: int, before: int = 0):
        """Of the chunk `delay` frames ago, with `before` frames in front: `[1, before + time]`."""
        start = self._history - delay - before
        return self._masks[:, start : start + before + self._time]


class Chunk:
    """The `Surroundings` of one block in a chunk of a stream.

    Args:
        layer: gives the trained layers.
        memory: of the stream.
        validity: of its frames.
        delay: frames that those that come in have waited already.
        context: past and future frames that a frame attends to.
        positions: symbolic inputs by the names of the attentions: this block's is added.
    """

    def __init__(
        self,
        layer: LayerSource,
        memory: Memory,
        validity: Validity,
        delay: int,
        context: tuple[int, int],
        positions: dict,
    ):
        self._layer = layer
        self._memory = memory
        self._validity = validity
        self._delay = delay
        self._past, self._future = context
        self._positions = positions

    def delayed(self, x, name: str):
        """As in `Surroundings`: the frames of `future` frames ago."""
        if self._future == 0:
            return x
        return self._memory.extended(x, self._future, f"{name}_residual")[:, : x.shape[1]]

    def attend(self, query, key, value, config: EncoderConfig, name: str):
        """As in `Surroundings`."""
        kept, time = self._past + self._future, query.shape[1]
        key = self._memory.extended(key, kept, f"{name}_keys")
        value = self._memory.extended(value, kept, f"{name}_values")
        shape = (1, kept + 1, config.dim)
        position = keras.Input(batch_shape=shape, name=f"{name}_positions")
        self._positions[f"{name}_positions"] = position
        # The last key is the last frame that came in; `time` of the masks are those of the chunk.
        mask = self._validity.mask(self._delay, kept)
        assert mask.shape[1] == kept + time
        attention = self._layer(keras.layers.Layer, name=name)
        return StreamingAttention(attention, name=f"{name}_of_chunk")(
            [query, key, value, position, mask]
        )

    def convolve(self, x, config: EncoderConfig, name: str):
        """As in `Surroundings`."""
        mask = self._validity.mask(self._delay + self._future)
        x = self._layer(keras.layers.Layer, name=f"{name}_mask")([x, mask])
        x = self._memory.extended(x, config.kernel - 1, f"{name}_frames")
        return self._layer(keras.layers.Layer, name=f"{name}_depthwise")(x)
