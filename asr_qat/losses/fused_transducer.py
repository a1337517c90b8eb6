"""The transitions of the transducer's lattice with bounded memory.

The logits `[batch, time, 1 + labels, classes]` are by far the largest tensor of a transducer.
Here the joint network runs on a few frames at a time; what the lattice needs of the logits is
kept, two numbers of each node and one of each duration, and the gradient runs the joint network
on each slice again.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

from asr_qat.losses.transducer import token_log_probs


def fused_transition_log_probs(
    join: Callable[..., tf.Tensor],
    encoded: tf.Tensor,
    predicted: tf.Tensor,
    labels: tf.Tensor,
    weights: Sequence[tf.Tensor],
    frames: int,
    durations: int = 0,
) -> tf.Tensor:
    """Log-probabilities of the blank, of the next label and of each duration at each node.

    Args:
        join: `join(encoded, predicted, *weights)` gives the logits `[batch, frames, 1 + labels,
            classes]` of some frames, each frame by itself; the classes are labels, the blank,
            durations. It runs twice and has to give the same again: no dropout. It must not read
            variables.
        encoded: `[batch, time, features]`.
        predicted: `[batch, 1 + labels, features]`.
        labels: int32 `[batch, labels]`.
        weights: the tensors of `join` that gradients flow to.
        frames: in a slice, at most.
        durations: how many there are; 0 for a plain transducer.

    Returns:
        float32 `[batch, time, 1 + labels, 2 + durations]`; the label of the last node means
        nothing.
    """
    time = tf.shape(encoded)[1]
    slices = tf.maximum((time + frames - 1) // frames, 1)
    frames = (time + slices - 1) // slices  # slices of one size, with the least padding

    def cut(values):
        """`[batch, time, ...]` to `[slices, batch, frames, ...]`."""
        rest = [[0, 0]] * (values.shape.rank - 2)
        values = tf.pad(values, [[0, 0], [0, slices * frames - time], *rest])
        shape = tf.shape(values)
        values = tf.reshape(values, tf.concat([shape[:1], [slices, frames], shape[2:]], axis=0))
        return tf.transpose(values, [1, 0, *range(2, values.shape.rank)])

    def paste(values):
        """The inverse of `cut`."""
        values = tf.transpose(values, [1, 0, *range(2, values.shape.rank)])
        shape = tf.shape(values)
        values = tf.reshape(values, tf.concat([shape[:1], [slices * frames], shape[3:]], axis=0))
        return values[:, :time]

    def transitions(encoded, predicted, *weights):
        return token_log_probs(join(encoded, predicted, *weights), labels, durations)

    @tf.custom_gradient
    def run(encoded, predicted, *weights):
        results = tf.map_fn(
            lambda part: transitions(part, predicted, *weights),
            cut(encoded),
            parallel_iterations=1,  # or slices would be in memory at the same time
            fn_output_signature=tf.float32,
        )

        def gradient(d_results):
            parts, d_parts = cut(encoded), cut(d_results)
            shared = (predicted, *weights)

            def add(i, d_encoded, sums):
                part = parts[i]
                with tf.GradientTape() as tape:
                    tape.watch((part, shared))
                    result = transitions(part, *shared)
                d_part, *new = tape.gradient(
                    result, (part, *shared), d_parts[i], tf.UnconnectedGradients.ZERO
                )
                sums = [s + tf.cast(n, tf.float32) for s, n in zip(sums, new, strict=True)]
                return i + 1, d_encoded.write(i, d_part), sums

            _, d_encoded, sums = tf.while_loop(
                lambda i, *_: i < slices,
                add,
                (
                    tf.constant(0),
                    tf.TensorArray(encoded.dtype, size=slices),
                    [tf.zeros_like(value, tf.float32) for value in shared],
                ),
                parallel_iterations=1,
            )
            sums = [tf.cast(s, value.dtype) for s, value in zip(sums, shared, strict=True)]
            return paste(d_encoded.stack()), *sums

        return paste(results), gradient

    return run(encoded, predicted, *(tf.convert_to_tensor(weight) for weight in weights))
