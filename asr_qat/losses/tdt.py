"""The loss of a token-and-duration transducer (TDT), exact, with its own gradient.

Xu et al. (2023), "Efficient sequence transduction by jointly predicting tokens and durations".
After the logits of the labels and of the blank are those of the durations, normalised by
themselves. In the lattice of `asr_qat.losses.transducer` a label of duration d leads from (t, u)
to (t + d, u + 1), a blank of duration d > 0 to (t + d, u); a blank of duration 0 has no use. The
last blank leads to (frames, labels) exactly. An antidiagonal t + u depends on the ones up to
1 + the longest duration away.
"""

from collections.abc import Sequence

import tensorflow as tf

from asr_qat.audio.front_end import HALVINGS
from asr_qat.losses.antidiagonals import (
    IMPOSSIBLE,
    antidiagonals,
    frames_of,
    next_node,
    previous_node,
)
from asr_qat.losses.targets import PADDING, TargetsLoss
from asr_qat.losses.transducer import lattice_loss, token_log_probs


class TDTLoss(TargetsLoss):
    """`tdt_lattice_loss` and the plain transducer's for `model.fit`, in nats per utterance.

    The paper draws for each batch which of the two losses it uses; this is their mean, weighted by
    the probabilities of the draw.

    Args:
        durations: frames of each duration, ascending from 0, 1.
        sigma: what is taken from the log-probability of each token, blanks included.
        omega: share of the plain transducer's loss, which knows no durations.
        halvings: how often the encoder halves the time axis.
    """

    def __init__(
        self,
        durations: Sequence[int],
        sigma: float = 0.0,
        omega: float = 0.0,
        halvings: int = HALVINGS,
        name: str = "tdt",
        **kwargs,
    ):
        super().__init__(halvings, name=name, **kwargs)
        self.durations, self.sigma, self.omega = tuple(durations), sigma, omega

    def call(self, y_true, y_pred):
        """`y_true` from `pack_targets`; `y_pred` as `asr_qat.layers.joint.Joint` gives it.

        Returns:
            float32 `[batch]`.
        """
        frames, labels = self.unpack(y_true)
        count = tf.math.count_nonzero(labels != PADDING, axis=1, dtype=tf.int32)
        loss = 0.0
        if self.omega < 1:
            tdt = tdt_lattice_loss(y_pred, self.durations, frames, count, self.sigma)
            loss += (1 - self.omega) * tdt
        if self.omega > 0:
            plain = lattice_loss(y_pred[..., 0], y_pred[:, :, :-1, 1], frames, count)
            loss += self.omega * plain
        return loss

    def get_config(self):
        own = {"durations": self.durations, "sigma": self.sigma, "omega": self.omega}
        return {**super().get_config(), **own}


def tdt_loss(logits, labels, durations, frame_lengths, label_lengths, sigma: float = 0.0):
    """Negative log-likelihood of the labels, in nats per utterance.

    Args:
        logits: `[batch, time, 1 + labels, classes]`: labels, the blank, the durations.
        labels: int32 `[batch, labels]`; what is beyond an utterance's own does not matter.
        durations: frames of each duration, ascending from 0, 1.
        frame_lengths: int32 `[batch]`, at least 1.
        label_lengths: int32 `[batch]`.
        sigma: see `TDTLoss`.

    Returns:
        float32 `[batch]`.
    """
    log_probs = token_log_probs(logits, labels, len(durations))
    return tdt_lattice_loss(log_probs, durations, frame_lengths, label_lengths, sigma)


def tdt_lattice_loss(log_probs, durations, frame_lengths, label_lengths, sigma: float = 0.0):
    """Negative log of the summed probabilities of all alignments.

    The sums are made in float64, as those of `lattice_loss`.

    Args:
        log_probs: float32 `[batch, time, 1 + labels, 2 + durations]` of blank, next label and
            durations at each node; the label of the last node means nothing.
        durations: frames of each duration, ascending from 0, 1.
        frame_lengths: int32 `[batch]`, at least 1.
        label_lengths: int32 `[batch]`.
        sigma: see `TDTLoss`.

    Returns:
        float32 `[batch]`.
    """

    @tf.custom_gradient
    def loss(log_probs):
        lattice = _Lattice(log_probs, tuple(durations), frame_lengths, label_lengths, sigma)
        beta = lattice.beta()
        log_likelihood = beta[0, :, 0]

        def gradient(d_loss):
            return lattice.gradient(beta, tf.cast(d_loss, tf.float64))

        return tf.cast(-log_likelihood, tf.float32), gradient

    return loss(log_probs)


class _Lattice:
    """The nodes of a batch by antidiagonal, float64 `[steps, batch, nodes]` each.

    Args:
        log_probs, durations, frame_lengths, label_lengths, sigma: of `tdt_lattice_loss`.
    """

    def __init__(self, log_probs, durations, frame_lengths, label_lengths, sigma):
        self._time, self._type = tf.shape(log_probs)[1], log_probs.dtype
        blank, label, *lasting = (
            antidiagonals(tf.cast(values, tf.float64)) for values in tf.unstack(log_probs, axis=-1)
        )
        self._blank, self._label, self._lasting = blank - sigma, label - sigma, lasting
        self._durations = durations
        self._steps = tf.shape(blank)[0]
        self._nowhere = tf.fill(tf.shape(blank)[1:], tf.constant(IMPOSSIBLE, tf.float64))
        self._last = tf.one_hot(
            label_lengths, tf.shape(blank)[2], on_value=True, off_value=False, dtype=tf.bool
        )
        self._end = frame_lengths + label_lengths  # antidiagonal of the end, which is no node

    def beta(self):
        """Log-probability of all ways from each node to the end."""
        # Of the antidiagonals after this one, as many as a transition reaches.
        ring = [self._nowhere] * (1 + max(self._durations))

        def before(step, found, ring):
            ways = []
            for duration, lasting in self._with_lasting(step):
                if duration:
                    beyond = self._beyond(step, duration, ring[duration - 1])
                    ways.append(self._blank[step] + lasting + beyond)
                ways.append(self._label[step] + lasting + next_node(ring[duration]))
            beta = tf.reduce_logsumexp(tf.stack(ways), axis=0)
            return step - 1, found.write(step, beta), [beta, *ring[:-1]]

        return self._run(lambda step, *_: step >= 0, before, self._steps - 1, ring)

    def alpha(self):
        """Log-probability of all ways from the beginning to each node."""
        beginning = tf.one_hot(
            tf.zeros_like(self._end), tf.shape(self._nowhere)[1], 0.0, IMPOSSIBLE, dtype=tf.float64
        )
        # What came so far to the nodes of this antidiagonal, and to those of the ones after it.
        ring = [beginning, *[self._nowhere] * (1 + max(self._durations))]

        def after(step, found, ring):
            alpha, arrivals = ring[0], [[other] for other in ring]
            for duration, lasting in self._with_lasting(step):
                if duration:
                    arrivals[duration].append(alpha + self._blank[step] + lasting)
                emitted = alpha + self._label[step] + lasting
                arrivals[duration + 1].append(previous_node(emitted))
            sums = [tf.reduce_logsumexp(tf.stack(each), axis=0) for each in arrivals[1:]]
            return step + 1, found.write(step, alpha), [*sums, self._nowhere]

        return self._run(lambda step, *_: step < self._steps, after, tf.constant(0), ring)

    def gradient(self, beta, d_loss):
        """That of `log_probs`."""
        common = self.alpha() - beta[0, :, 0][None, :, None]
        longest = max(self._durations)
        beta = tf.concat([beta, tf.repeat(self._nowhere[None], 1 + longest, axis=0)], axis=0)
        steps = tf.range(self._steps)
        d_blank, d_label, d_lasting = 0.0, 0.0, []
        for duration, lasting in zip(self._durations, self._lasting, strict=True):
            after = next_node(beta[duration + 1 :][: self._steps])
            emitted = tf.exp(common + self._label + lasting + after)
            d_label += emitted
            if duration:
                after = beta[duration:][: self._steps]
                after = self._beyond(steps[:, None, None], duration, after)
                skipped = tf.exp(common + self._blank + lasting + after)
                d_blank += skipped
                emitted += skipped
            d_lasting.append(emitted)
        return tf.stack(
            [
                frames_of(tf.cast(-d_loss[None, :, None] * values, self._type), self._time)
                for values in (d_blank, d_label, *d_lasting)
            ],
            axis=-1,
        )

    def _with_lasting(self, step):
        """Each duration, and its log-probability `[batch, nodes]`."""
        return [
            (d, lasting[step]) for d, lasting in zip(self._durations, self._lasting, strict=True)
        ]

    def _beyond(self, step, duration, beta):
        """What comes after a blank, where `beta` is that of the node it leads to."""
        final = (step + duration == self._end[:, None]) & self._last
        return tf.where(final, tf.zeros_like(beta), beta)

    def _run(self, condition, body, start, ring):
        """What `body` writes at each step, `[steps, batch, nodes]`."""
        found = tf.TensorArray(tf.float64, self._steps, element_shape=self._nowhere.shape)
        _, found, _ = tf.while_loop(condition, body, (start, found, ring))
        return found.stack()
