"""Keras callbacks: progress, NaN, checkpoints, evaluation."""

import json
import math
import time
from pathlib import Path

import tensorflow as tf
from tensorflow import keras

from asr_qat.corpora.dataset import Pipeline, Position
from asr_qat.errors import UserError
from asr_qat.losses.ctc import PADDING
from asr_qat.models.model_directory import Recogniser
from asr_qat.progress import progress_bar
from asr_qat.training.averaging import averaged_weights
from asr_qat.training.word_error_rate import Evaluator


class Progress(keras.callbacks.Callback):
    """A bar over the updates of the whole training, with the loss of the pass."""

    def __init__(self, steps: int, done: int, quiet: bool):
        super().__init__()
        self._bar = progress_bar("train", steps, "step", quiet)
        self._bar.update(done)

    def on_train_batch_end(self, batch, logs=None):
        self._bar.set_postfix(loss=f"{logs['loss']:.3f}", refresh=False)
        self._bar.update(1)

    def close(self) -> None:
        """Leave the bar as it stands."""
        self._bar.close()


class StopAfter(keras.callbacks.Callback):
    """End the training when the optimizer has made `steps` updates."""

    def __init__(self, steps: int):
        super().__init__()
        self._steps = steps

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations.numpy()) >= self._steps:
            self.model.stop_training = True


class StopOnNaN(keras.callbacks.Callback):
    """Raise `UserError` with the step and the batch when the loss is not finite."""

    def __init__(self, pipeline: Pipeline, position: Position):
        super().__init__()
        self._pipeline = pipeline
        self._position = position

    def on_train_batch_end(self, batch, logs=None):
        if math.isfinite(logs["loss"]):
            return
        step = int(self.model.optimizer.iterations.numpy())
        place = int(self._position.done.numpy()) + 1
        epoch = int(self._position.epoch.numpy())
        texts = self._texts(epoch, place)
        raise UserError(
            f"loss is {logs['loss']} at step {step} (pass {epoch + 1}, batch {place}: {texts}); "
            "the last checkpoint is kept: lower optimizer.schedule.peak or "
            "optimizer.clip_norm, or look at these utterances"
        )

    def _texts(self, epoch: int, place: int) -> str:
        position = Position.start()
        position.epoch.assign(epoch)
        position.skip.assign(place - 1)
        tokenizer = self._pipeline.folder.tokenizer
        for _, targets in self._pipeline.training(position).take(1):
            rows = [[int(t) for t in row[1:] if t != PADDING] for row in targets.numpy()]
            return "; ".join(repr(tokenizer.decode(row)) for row in rows)
        return "unknown"


class Checkpoints(keras.callbacks.Callback):
    """Save everything that the training needs to go on, and restore it.

    Args:
        recogniser: its model has been compiled.
        position: where the data stands; advanced here.
        best_wer: variable with the lowest development WER so far.
        folder: where the checkpoints are kept; the last two stay.
        minutes: time between checkpoints.
    """

    def __init__(self, model, position: Position, best_wer, folder: Path, minutes: float):
        super().__init__()
        self._position = position
        self._seconds = 60 * minutes
        self._saved_at = time.monotonic()
        checkpoint = tf.train.Checkpoint(
            model=model,
            optimizer=model.optimizer,
            epoch=position.epoch,
            done=position.done,
            best_wer=best_wer,
        )
        self._manager = tf.train.CheckpointManager(checkpoint, str(folder), max_to_keep=2)

    def restore(self) -> int:
        """Go on from the latest checkpoint, if there is one. Returns the steps done."""
        self._manager.checkpoint.model.optimizer.build(
            self._manager.checkpoint.model.trainable_variables
        )
        if self._manager.latest_checkpoint:
            try:
                self._manager.checkpoint.restore(self._manager.latest_checkpoint).assert_consumed()
            except (AssertionError, tf.errors.OpError, ValueError) as error:
                raise UserError(
                    f"{self._manager.latest_checkpoint}: does not fit this configuration: remove "
                    f"{self._manager.directory} to start anew ({str(error).splitlines()[0]})"
                ) from None
            self._position.skip.assign(self._position.done)
        return int(self._manager.checkpoint.model.optimizer.iterations.numpy())

    def save(self) -> None:
        """Write a checkpoint. A full disk leaves the earlier ones as they were."""
        step = int(self.model.optimizer.iterations.numpy())
        try:
            self._manager.save(step)
        except tf.errors.OpError as error:
            raise UserError(
                f"{self._manager.directory}: cannot write the checkpoint of step {step}: "
                f"{str(error.message).splitlines()[0]}; the earlier ones are kept: "
                "make room and run the same command again"
            ) from None
        self._saved_at = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        self._position.done.assign_add(1)
        if time.monotonic() - self._saved_at > self._seconds:
            self.save()

    def on_epoch_end(self, epoch, logs=None):
        if self.model.stop_training:
            return  # the last pass may be unfinished
        self._position.next_pass()


class EvaluateAndKeep(keras.callbacks.Callback):
    """WER on the development split every few passes; keeps the averaged weights.

    Writes `history.jsonl` beside the model: step, pass, loss, wer, seconds.
    """

    def __init__(self, recogniser: Recogniser, evaluator: Evaluator, output: Path, **options):
        super().__init__()
        self._recogniser = recogniser
        self._evaluator = evaluator
        self._output = output
        self._every: int = options["every"]
        self._keep: str = options["keep"]
        self._best_wer: tf.Variable = options["best_wer"]
        self._quiet: bool = options["quiet"]
        self._writer = tf.summary.create_file_writer(str(output / "tensorboard"))
        self._started = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        step = int(self.model.optimizer.iterations.numpy())
        line = {"step": step, "pass": epoch + 1, "loss": logs["loss"]}
        if (epoch + 1) % self._every == 0 or self.model.stop_training:
            with averaged_weights(self.model):
                line["wer"] = self._evaluator.wer()
                if self._keep == "last" or line["wer"] <= float(self._best_wer.numpy()):
                    self._best_wer.assign(line["wer"])
                    self._recogniser.save(self._output)
        line["seconds"] = round(time.monotonic() - self._started, 1)
        with (self._output / "history.jsonl").open("a") as history:
            history.write(json.dumps(line) + "\n")
        with self._writer.as_default(step):
            for name in ("loss", "wer"):
                if name in line:
                    tf.summary.scalar(name, line[name])
            tf.summary.scalar("learning_rate", self.model.optimizer.learning_rate)
        if "wer" in line and not self._quiet:
            print(f"step {step}: loss {line['loss']:.3f}, dev WER {100 * line['wer']:.2f}%")
