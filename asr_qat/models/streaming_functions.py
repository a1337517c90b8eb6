"""A live model as pure functions of a chunk and a state, made of the trained layers."""

import functools

import tensorflow as tf
from tensorflow import keras

from asr_qat.layers.streaming_attention import RelativeDistances
from asr_qat.models.blocks import conformer_block
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.layer_names import FIRST, JOINT_ENCODER, SECOND, block_name, cascade_name
from asr_qat.models.layer_source import layers_of
from asr_qat.models.stream_chunk import Chunk, ChunkEdges, Memory, Validity
from asr_qat.models.streaming_config import SUBSAMPLING, StreamingConfig
from asr_qat.models.subsampling import subsample

CAUSAL_VALID, CASCADE_VALID = "causal_valid_history", "cascade_valid_history"  # states


class StreamingFunctions:
    """The encoders of a live model, chunk by chunk, quantized or not.

    All functions are Functional models of dictionaries of float32 tensors. A state begins with
    zeros; what comes out under its name goes into the next chunk. A stream ends with chunks that
    are not valid, until all frames have come out.

    Args:
        model: from `build_live_transducer`, also after `quantize_model`.
        encoder: its causal encoder's shape.
        streaming: its contexts.

    Attributes:
        positions: `{"one": [1]}`, which is 1, to the projected relative positions of each
            attention, `NAME_positions` `[1, past + 1 + future, dim]`. They are the same for all
            chunks of all streams; a function takes those of its own blocks.
    """

    def __init__(self, model: keras.Model, encoder: EncoderConfig, streaming: StreamingConfig):
        self._layer = layers_of(model)
        self._mel_bins = model.inputs[0].shape[-1]
        self._encoder, self._streaming = encoder, streaming
        one = keras.Input(batch_shape=(1,), name="one")
        self.positions = keras.Model({"one": one}, self._project(one), name="positions")

    @functools.cache  # noqa: B019  # a model or two for each instance
    def causal(self, frames: int) -> keras.Model:
        """The causal encoder, for chunks of so many encoded frames.

        Inputs:
            features: `[1, 4 * frames, mel_bins]`.
            valid: `[1, 4 * frames]`, 1 for a feature frame of the utterance, 0 after its end.
            positions and states.

        Outputs:
            frames: `[1, frames, dim]`, those `first_delay` frames ago.
            valid: `[1, frames]`, 1 for a frame of the utterance.
            encoded: `[1, frames, joint]`, what the joint network reads.
            states.
        """
        time = SUBSAMPLING * frames
        features = keras.Input(batch_shape=(1, time, self._mel_bins), name="features")
        valid = keras.Input(batch_shape=(1, time), name="valid")
        memory = Memory()
        edges = ChunkEdges(valid, memory)
        x = subsample(features, edges, self._encoder, self._layer)
        contexts = [self._streaming.causal_context(i) for i in range(self._encoder.blocks)]
        names = [block_name(i) for i in range(self._encoder.blocks)]
        outputs, positions = self._run(
            x, edges.mask(x, 2), names, contexts, CAUSAL_VALID, JOINT_ENCODER[FIRST], memory
        )
        inputs = {"features": features, "valid": valid} | positions | memory.before
        return keras.Model(inputs, outputs | memory.after, name=f"causal_{frames}")

    @functools.cache  # noqa: B019
    def cascade(self, frames: int) -> keras.Model:
        """The cascade, for chunks of so many frames.

        Inputs:
            frames: `[1, frames, dim]`, from `causal`.
            valid: `[1, frames]`, likewise.
            positions and states.

        Outputs:
            valid: `[1, frames]`, 1 for a frame of the utterance.
            encoded: `[1, frames, joint]`, those `second_delay` frames ago.
            states.
        """
        x = keras.Input(batch_shape=(1, frames, self._encoder.dim), name="frames")
        valid = keras.Input(batch_shape=(1, frames), name="valid")
        memory, blocks = Memory(), self._streaming.cascade_blocks
        outputs, positions = self._run(
            x,
            valid,
            [cascade_name(i) for i in range(blocks)],
            [self._streaming.cascade_context] * blocks,
            CASCADE_VALID,
            JOINT_ENCODER[SECOND],
            memory,
        )
        del outputs["frames"]
        inputs = {"frames": x, "valid": valid} | positions | memory.before
        return keras.Model(inputs, outputs | memory.after, name=f"cascade_{frames}")

    def _run(
        self,
        x,
        valid,
        names: list[str],
        contexts: list[tuple[int, int]],
        history_name: str,
        joint: str,
        memory: Memory,
    ) -> tuple[dict, dict]:
        """Outputs, without states, of some blocks, and the positions that they take."""
        history = delay = 0
        for past, future in contexts:
            history = max(history, delay + future + past)
            delay += future
        validity = Validity(valid, history, history_name, memory)
        positions: dict = {}
        delay = 0
        for name, context in zip(names, contexts, strict=True):
            around = Chunk(self._layer, memory, validity, delay, context, positions)
            x = conformer_block(x, around, self._encoder, name, False, self._layer)
            delay += context[1]
        encoded = self._layer(keras.layers.Layer, name=joint)(x)
        return {"frames": x, "valid": validity.mask(delay), "encoded": encoded}, positions

    def _project(self, one) -> dict:
        """The projected positions of all attentions."""
        contexts = {
            block_name(i): self._streaming.causal_context(i) for i in range(self._encoder.blocks)
        }
        for i in range(self._streaming.cascade_blocks):
            contexts[cascade_name(i)] = self._streaming.cascade_context
        tables = {
            context: RelativeDistances(*context, self._encoder.dim)(one)
            for context in sorted(set(contexts.values()))
        }
        projected = {}
        for block, context in contexts.items():
            name = f"{block}_attention_position"
            project = self._layer(keras.layers.Layer, name=name)
            projected[f"{name}s"] = project(tables[context])
        return projected


def zero_state(function: keras.Model) -> dict[str, tf.Tensor]:
    """The state at the beginning of a stream, of one of the functions above."""
    states = set(function.input) & set(function.output) - {"valid"}
    return {name: tf.zeros(function.input[name].shape) for name in sorted(states)}
