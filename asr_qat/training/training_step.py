"""What one update of the weights is made of."""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf
from tensorflow import keras

from asr_qat.compat import QuantizeWrapperV2, quantized_weight
from asr_qat.training.config import OptimizerConfig
from asr_qat.training.distillation import Distillation
from asr_qat.training.mixed_precision import LossScale
from asr_qat.training.norm_decay import NormDecay
from asr_qat.training.variational_noise import VariationalNoise

WeightedLoss = tuple[keras.losses.Loss, float]


class TrainedModel(keras.Model):
    """A Functional model with the training step of this package. It shares the layers.

    The loss of a step is the mean over the utterances of the batch; with several outputs the
    weighted sum of their losses, each computed from the same targets, and with `distillation`
    that of the last output, the CTC logits, is added. One call of `train_step`
    is one update:

    - the gradient is summed over `config.accumulate` slices of the rows of the batch,
    - taken with `config.variational_noise` on the weights,
    - summed over the replicas of a `tf.distribute` strategy,
    - and those of `config.l2 / 2 * |w|^2` and of `config.norm_decay` are added.

    What `asr_qat.training.mixed_precision` says of float16 is done here too.

    It takes `(inputs, targets)`, or `(inputs, targets, weights)` with the share of each row in
    the mean, float32 `[batch]`. The shares of all rows of all replicas sum to 1.

    Args:
        model: the Functional model.
        losses: a Keras loss that gives `[batch]`, and its weight, for each output of `model`.
        config: see above.
        seed: of the noise.
        scale_loss: for activations in float16.
        distillation: from a teacher, or None.
    """

    def __init__(
        self,
        model: keras.Model,
        losses: Sequence[WeightedLoss],
        config: OptimizerConfig,
        seed: int = 0,
        scale_loss: bool = False,
        distillation: Distillation | None = None,
    ):
        super().__init__(model.inputs, model.outputs, name=model.name)
        self.loss_scale = LossScale() if scale_loss else None
        noise, decay = config.variational_noise, config.norm_decay
        self._step = _Step(
            losses,
            config,
            VariationalNoise(model, noise, seed) if noise else None,
            NormDecay(model, decay) if decay else None,
            distillation,
            _counters(model),
        )

    @tf.autograph.experimental.do_not_convert
    def train_step(self, data):
        """One update. Returns `loss`, which sums over replicas to that of the batch."""
        inputs, targets, weights = keras.utils.unpack_x_y_sample_weight(data)
        if weights is None:
            rows = tf.shape(targets)[0]
            weights = tf.fill([rows], 1.0 / tf.cast(rows, tf.float32))
        if self._step.noise is None:
            loss, gradients = self._accumulate(inputs, targets, weights)
        else:
            with self._step.noise.added(self.optimizer.iterations):
                loss, gradients = self._accumulate(inputs, targets, weights)
        weights = self.trainable_variables
        pairs = self.optimizer.aggregate_gradients(zip(gradients, weights, strict=True))
        gradients = [gradient for gradient, _ in pairs]
        if self.loss_scale is not None:
            gradients = self.loss_scale.unscaled(gradients)
        if self._step.config.l2:
            decay = self._step.config.l2
            gradients = [g + decay * w for g, w in zip(gradients, weights, strict=True)]
        if self._step.norm_decay is not None:
            gradients = self._step.norm_decay.added(gradients, weights)
        self.optimizer.apply_gradients(
            zip(gradients, weights, strict=True), skip_gradients_aggregation=True
        )
        return {"loss": loss}

    def _accumulate(self, inputs, targets, weights):
        """Loss and gradients of all rows, a slice at a time."""
        rows = tf.shape(weights)[0]
        size = -(-rows // self._step.config.accumulate)
        if self._step.config.accumulate == 1:
            return self._gradients(inputs, targets, weights)
        counts = [tf.identity(counter) for counter in self._step.counters]

        def add(start, loss, gradients):
            for counter, count in zip(self._step.counters, counts, strict=True):
                counter.assign(count)  # it counts steps, and this is a part of one
            part = tf.nest.map_structure(
                lambda rows: rows[start : start + size], (inputs, targets, weights)
            )
            more, slopes = self._gradients(*part)
            sums = [a + b for a, b in zip(gradients, slopes, strict=True)]
            return start + size, loss + more, sums

        nothing = (0, 0.0, [tf.zeros_like(weight) for weight in self.trainable_variables])
        _, loss, gradients = tf.while_loop(
            lambda start, *_: start < rows, add, nothing, parallel_iterations=1
        )
        return loss, gradients

    def _gradients(self, inputs, targets, weights):
        """Share of these rows in the loss, and its gradients as dense tensors."""
        distillation = self._step.distillation
        taught = None if distillation is None else distillation.teach(inputs)
        with tf.GradientTape() as tape:
            outputs = tf.nest.flatten(self(inputs, training=True))
            loss = tf.add_n(
                [
                    share * tf.reduce_sum(weights * loss.call(targets, output))
                    for output, (loss, share) in zip(outputs, self._step.losses, strict=True)
                ]
            )
            if distillation is not None:
                loss += tf.reduce_sum(weights * distillation.loss(inputs, outputs[-1], taught))
            scaled = loss if self.loss_scale is None else loss * self.loss_scale.factor
        gradients = tape.gradient(
            scaled, self.trainable_variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        return loss, [tf.convert_to_tensor(gradient) for gradient in gradients]


@dataclasses.dataclass(frozen=True)
class _Step:
    """What Keras would put into the checkpoints as an attribute of the model."""

    losses: Sequence[WeightedLoss]
    config: OptimizerConfig
    noise: VariationalNoise | None
    norm_decay: NormDecay | None
    distillation: Distillation | None
    counters: list[tf.Variable]


def _counters(model: keras.Model) -> list[tf.Variable]:
    """The steps that the quantizers of a model with a `start_step` have counted."""
    return [
        variables["step"]
        for layer in model.layers
        if isinstance(layer, QuantizeWrapperV2)
        and "step" in (variables := quantized_weight(layer)[2])
    ]
