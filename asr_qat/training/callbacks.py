"""Keras callbacks: progress, NaN, checkpoints, evaluation."""

import json
import logging
import math
import re
import sys
import time
from pathlib import Path

import tensorflow as tf
from tensorflow import keras
from tqdm import tqdm

from asr_qat import files
from asr_qat.corpora.dataset import Pipeline
from asr_qat.errors import UserError
from asr_qat.losses.targets import PADDING
from asr_qat.models.model_directory import Recogniser
from asr_qat.progress import progress_bar
from asr_qat.quantize.apply import steps_to_complete
from asr_qat.training.averaging import averaged_weights
from asr_qat.training.config import TrainConfig
from asr_qat.training.word_error_rate import Evaluator

_LOGGER = logging.getLogger(__name__)

# Names of TensorFlow's: files of a checkpoint, and those that become one.
CHECKPOINT = re.compile(r"(ckpt-\d+)\.")
TEMPORARY = re.compile(r"ckpt-\d+_temp$|ckpt-\d+\..*\.tempstate\d+$|checkpoint\.tmp")


class State:
    """What a training carries from step to step beside model and optimizer.

    Attributes:
        best_wer: lowest development WER so far; of a live model the mean over its passes.
        loss_sum: sum of the losses since the last evaluation.
        loss_count: number of these losses.
    """

    def __init__(self) -> None:
        self.best_wer = tf.Variable(float("inf"))
        self.loss_sum = tf.Variable(0.0)
        self.loss_count = tf.Variable(0.0)


def _step(model) -> int:
    """Updates that the optimizer has made."""
    return int(model.optimizer.iterations.numpy())


def _step_of(line: str) -> float:
    """The step of one line of `history.jsonl`; of one that was cut off, never reached."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return math.inf


class LossOfBatch(keras.callbacks.Callback):
    """Adds the loss of each batch to the state."""

    def __init__(self, state: State):
        super().__init__()
        self._state = state

    def on_train_batch_end(self, batch, logs=None):
        self._state.loss_sum.assign_add(logs["loss"])
        self._state.loss_count.assign_add(1.0)


class Progress(keras.callbacks.Callback):
    """A bar over the updates of the whole training, with the loss of the batch.

    It begins after the first update, of which most is the tracing of the graph: the time left
    follows from the others.
    """

    def __init__(self, steps: int, done: int, quiet: bool):
        super().__init__()
        self._steps, self._done, self._quiet = steps, done, quiet
        self._bar: tqdm | None = None

    def on_train_begin(self, logs=None):
        if not self._quiet:
            text = "train: TensorFlow traces the first step, which takes up to a minute or so"
            tqdm.write(text, file=sys.stderr)

    def on_train_batch_end(self, batch, logs=None):
        if self._bar is None:
            self._bar = progress_bar(
                "train", self._steps, "step", self._quiet, initial=self._done + 1
            )
            return
        self._bar.set_postfix({"loss of the batch": f"{logs['loss']:.3f}"}, refresh=False)
        self._bar.update(1)

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()


class StopOnNaN(keras.callbacks.Callback):
    """Raise `UserError` with the step and the batch when the loss is not finite.

    Args:
        pipeline: of the batches.
        checkpoints: what a training goes on from that takes the advice.
    """

    def __init__(self, pipeline: Pipeline, checkpoints: "Checkpoints"):
        super().__init__()
        self._pipeline = pipeline
        self._checkpoints = checkpoints
        self._begun_after = 0

    def on_train_begin(self, logs=None):
        self._begun_after = _step(self.model)

    def on_train_batch_end(self, batch, logs=None):
        if math.isfinite(logs["loss"]):
            return
        step, after = _step(self.model), self._begun_after
        number, place = divmod(step - 1, self._pipeline.batches_per_pass)
        advice = self._checkpoints.spoilt() if 0 < after == step - 1 else self._checkpoints.advice()
        raise UserError(
            f"loss is {logs['loss']} at step {step} (pass {number + 1}, batch {place + 1}: "
            f"{self._texts(step - 1)}); {advice}; if these utterances are damaged, prepare the "
            "corpus without them and train into another output"
        )

    def _texts(self, step: int) -> str:
        """Transcripts in the batch of `step`."""
        _, targets = next(iter(self._pipeline.training(step)))
        rows = [[int(t) for t in row[1:] if t != PADDING] for row in targets.numpy()]
        return "; ".join(repr(self._pipeline.folder.tokenizer.decode(row)) for row in rows)


class Checkpoints(keras.callbacks.Callback):
    """Save everything that the training needs to go on, and restore it.

    Args:
        model: compiled.
        state: saved with it.
        folder: where the checkpoints are kept; the last two stay.
        minutes: most time between checkpoints.
        every: most steps between checkpoints, None for any number.
    """

    def __init__(self, model, state: State, folder: Path, minutes: float, every: int | None):
        super().__init__()
        self._every = every
        self._saved_step = 0
        self._seconds = 60 * minutes
        self._saved_at = time.monotonic()
        checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer, **vars(state))
        checkpoint.save_counter  # noqa: B018  # creates it: later it would be on the chief alone
        self._manager = tf.train.CheckpointManager(checkpoint, str(folder), max_to_keep=2)

    def restore(self) -> int:
        """Go on from the latest checkpoint, if there is one. Returns the steps done."""
        model = self._manager.checkpoint.model
        model.optimizer.build(model.trainable_variables)
        if self._manager.latest_checkpoint:
            try:
                self._manager.checkpoint.restore(self._manager.latest_checkpoint).assert_consumed()
            except (AssertionError, tf.errors.OpError, ValueError) as error:
                raise UserError(
                    f"{self._manager.latest_checkpoint}: does not fit this configuration: remove "
                    f"{self._manager.directory} to start anew ({str(error).splitlines()[0]})"
                ) from None
        self._saved_step = _step(model)
        return self._saved_step

    def advice(self) -> str:
        """What to do about a loss or weights that are not finite: `MAY_CHANGE` allows it."""
        step = self._saved_step
        so = f"goes on from the checkpoint of step {step}" if step else "begins anew"
        return (
            "lower optimizer.schedule.peak or optimizer.clip_norm and run the same command "
            f"again, which {so}"
        )

    def spoilt(self) -> str:
        """What to do if that is so right after a checkpoint."""
        return (
            f"the checkpoint of step {self._saved_step} is of no use: remove "
            f"{self._manager.directory} and begin anew with a lower optimizer.schedule.peak"
        )

    def require_finite(self) -> None:
        """Raise `UserError` unless all trained weights are finite: others are not kept."""
        weights = self.model.trainable_variables
        if not all(bool(tf.reduce_all(tf.math.is_finite(weight))) for weight in weights):
            step = _step(self.model)
            raise UserError(f"weights are not finite after step {step}: {self.advice()}")

    def remove_left(self) -> None:
        """Remove checkpoints that a killed training has written or removed in part."""
        folder = files.place(self._manager.directory)
        kept = {files.place(path).name for path in self._manager.checkpoints}
        for path in list(folder.iterdir()) if folder.is_dir() else ():
            whole = CHECKPOINT.match(path.name)
            unknown = whole is not None and bool(kept) and whole[1] not in kept
            if unknown or TEMPORARY.match(path.name):
                (tf.io.gfile.rmtree if path.is_dir() else tf.io.gfile.remove)(str(path))

    def is_behind(self) -> bool:
        """Whether there are steps that no checkpoint holds."""
        return _step(self.model) > self._saved_step

    def save(self) -> None:
        """Write a checkpoint. A full disk or weights of no use leave the earlier ones."""
        self.require_finite()
        step = _step(self.model)
        try:
            self._manager.save(step)
        except tf.errors.OpError as error:
            raise UserError(
                f"{self._manager.directory}: cannot write the checkpoint of step {step}: "
                f"{str(error.message).splitlines()[0]}; the earlier ones are kept: "
                "make room and run the same command again"
            ) from None
        self._saved_at, self._saved_step = time.monotonic(), step

    def on_train_batch_end(self, batch, logs=None):
        late = time.monotonic() - self._saved_at > self._seconds
        if late or (self._every and _step(self.model) % self._every == 0):
            self.save()


class EvaluateAndKeep(keras.callbacks.Callback):
    """WER on the development split now and then; keeps the averaged weights.

    Those of a model that is yet to be quantized, or at wider stages, are not kept.

    Writes `history.jsonl` beside the model: step, mean loss, the WERs by name (`wer` is null
    without evaluation), seconds.

    Args:
        recogniser: its model is trained.
        evaluators: compute the WERs, by name.
        state: holds the losses and the lowest WER.
        config: how often to evaluate, what to keep, where.
        checkpoints: refuse weights that are not finite.
        quiet: do not print.
    """

    def __init__(
        self,
        recogniser: Recogniser,
        evaluators: dict[str, Evaluator],
        state: State,
        config: TrainConfig,
        checkpoints: Checkpoints,
        quiet: bool,
    ):
        super().__init__()
        self._checkpoints = checkpoints
        self._recogniser = recogniser
        self._evaluators = evaluators
        self._state = state
        self._config = config
        self._output = files.place(config.output)
        self._history = self._output / "history.jsonl"
        self._quiet = quiet
        self._writer = tf.summary.create_file_writer(str(self._output / "tensorboard"))
        self._started = time.monotonic()

    def on_train_begin(self, logs=None):
        """Drop the lines that a killed training wrote after its last checkpoint."""
        if self._history.is_file():
            lines = files.read_lines(self._history)
            kept = [line for line in lines if _step_of(line) <= _step(self.model)]
            if kept != lines:
                files.write_text(self._history, "".join(f"{line}\n" for line in kept))

    def on_train_batch_end(self, batch, logs=None):
        step, every = _step(self.model), self._config.evaluate_every
        if (every is None or step % every) and step < self._config.steps:
            return
        self._checkpoints.require_finite()
        loss = float(self._state.loss_sum / self._state.loss_count)
        self._state.loss_sum.assign(0.0)
        self._state.loss_count.assign(0.0)
        with averaged_weights(self.model):
            self._copy_weights()
            wers = {} if every is None else {n: e.wer() for n, e in self._evaluators.items()}
            better = self._config.keep == "last"
            mean = sum(wers.values()) / len(wers) if wers else math.inf
            better |= bool(wers) and mean <= float(self._state.best_wer.numpy())
            if better and not steps_to_complete(self._recogniser.model):
                if wers:
                    self._state.best_wer.assign(mean)
                self._recogniser.save(self._output)
        seconds = round(time.monotonic() - self._started, 1)
        scores: dict[str, float | None] = {"wer": None, **wers}
        line = {"step": step, "loss": loss, **scores, "seconds": seconds}
        files.append_line(self._history, json.dumps(line))
        with self._writer.as_default(step):
            tf.summary.scalar("loss", loss)
            for name, wer in wers.items():
                tf.summary.scalar(name, wer)
            tf.summary.scalar("learning_rate", self.model.optimizer.learning_rate)
        if not self._quiet:
            shown = " / ".join(f"{100 * wer:.2f}%" for wer in wers.values())
            score = f", dev WER {shown}" if wers else ""
            _LOGGER.info("step %d: mean loss since the last %.3f%s", step, loss, score)

    def _copy_weights(self) -> None:
        """To the recogniser, where a copy of its model is trained."""
        for own, trained in zip(self._recogniser.model.layers, self.model.layers, strict=True):
            if own is not trained:
                own.set_weights(trained.get_weights())
