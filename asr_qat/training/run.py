"""One training run: a configuration in, a model directory out."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tensorflow import keras

from asr_qat import files
from asr_qat.compat import all_layers
from asr_qat.corpora.dataset import Pipeline
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.errors import require
from asr_qat.layers.both_passes import OnePass
from asr_qat.layers.dropout import Dropout
from asr_qat.leftovers import remove_left
from asr_qat.lock import NAME, locked
from asr_qat.models.model_directory import Recogniser
from asr_qat.quantize.apply import steps_to_complete
from asr_qat.remote_path import RemotePath
from asr_qat.training.callbacks import (
    Checkpoints,
    EvaluateAndKeep,
    LossOfBatch,
    Progress,
    State,
    StopOnNaN,
)
from asr_qat.training.config import OptimizerConfig, TrainConfig
from asr_qat.training.description import check_same, describe
from asr_qat.training.distillation import Distillation, load_teacher
from asr_qat.training.distribution import Distribution, choose_distribution
from asr_qat.training.graph_options import keep_graphs_as_they_are
from asr_qat.training.mixed_precision import training_copy
from asr_qat.training.schedule import WarmupSchedule
from asr_qat.training.start import first_recogniser
from asr_qat.training.training_step import TrainedModel
from asr_qat.training.word_error_rate import Evaluator, damaged_shards

_LOGGER = logging.getLogger(__name__)

# Parts of the names of what a quantizer trains: no decay pulls them to zero.
QUANTIZER_VARIABLES = ["_scale", "_offset", "_low", "_high"]


def seed_everything(seed: int) -> None:
    """Seed weight initialisation; call it before the model is built."""
    keras.utils.set_random_seed(seed)


def seed_dropout(model: keras.Model, seed: int) -> None:
    """Restart the random sequences of the layers that draw numbers."""
    for layer in all_layers(model):
        if isinstance(layer, (Dropout, OnePass)):
            layer.seed(seed)


def build_optimizer(config: OptimizerConfig, steps: int) -> keras.optimizers.Optimizer:
    """Adam as in Vaswani et al. (2017), with clipping, decay and a weight average."""
    optimizer = keras.optimizers.AdamW(
        WarmupSchedule(config.schedule, steps),
        weight_decay=config.weight_decay,
        beta_1=0.9,
        beta_2=0.98,
        epsilon=1e-9,
        global_clipnorm=config.clip_norm,
        use_ema=config.average > 0,
        ema_momentum=config.average or 0.99,
        jit_compile=False,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", *QUANTIZER_VARIABLES])
    return optimizer


def train(config: TrainConfig, quiet: bool = False, checksums: bool = True) -> Recogniser:
    """Start or resume the run that `config` describes.

    Args:
        config: what to train, from what, on what, where to.
        quiet: no progress.
        checksums: read all shards first and compare them with what was prepared; else their sizes
            alone.

    Returns:
        The recogniser that was saved in `config.output`.

    A training that is done is taken up with more `steps`: each step has the learning rate of
    the schedule over all of them.

    Raises:
        UserError: bad configuration or data, an output that was trained with another
            configuration, vocabulary or statistics, or that another process writes, a loss that
            is not finite, a full disk.
    """
    distribution = choose_distribution()  # before TensorFlow computes anything
    keep_graphs_as_they_are()
    folder = PreparedFolder(config.data)
    for split in ("train", "dev"):
        folder.shards(split)
    if checksums:
        folder.check_shards(("train", "dev"), quiet or not distribution.chief)
    with _alone(files.place(config.output), distribution):
        _train(config, folder, distribution, quiet or not distribution.chief)
        return Recogniser.load(config.output)


@contextlib.contextmanager
def _alone(output: Path, distribution: Distribution) -> Iterator[None]:
    """Keep other trainings from writing the folder, and remove what killed ones have left.

    Of several workers the chief alone writes.
    """
    if not distribution.chief:
        yield
        return
    with locked(output / NAME):
        if not isinstance(output, RemotePath):
            remove_left(output, alone=True)
        yield


def _train(
    config: TrainConfig, folder: PreparedFolder, distribution: Distribution, quiet: bool
) -> None:
    """Start or resume a training in a folder that is locked for it. Raises as `train`."""
    output = files.place(config.output)
    description = describe(config, folder)
    check_same(output, description)
    seed_everything(config.seed)
    recogniser = first_recogniser(config, folder)
    complete = steps_to_complete(recogniser.model)
    require(
        complete < config.steps,
        f"quantization.layer_interval: the last layer begins at step {complete}, not before the "
        f"last of {config.steps} steps",
    )
    pipeline = Pipeline(folder, config.batches, config.seed, recogniser.stats_for(folder))
    with distribution.scope(), distribution.lost_workers():
        model = _trained_model(config, recogniser, distribution)
        state = State()
        checkpoints = Checkpoints(
            model,
            state,
            output / "checkpoints",
            config.checkpoint_minutes,
            config.evaluate_every,
        )
        done = checkpoints.restore()
        require(distribution.same(done), f"{output}: not the same folder on all workers")
        require(done <= config.steps, f"{output}: has {done} steps: give as many or more")
    if distribution.chief:
        checkpoints.remove_left()
    if done < config.steps:
        if done and not quiet:
            _LOGGER.info("%s: going on from step %d", output, done)
        callbacks = [StopOnNaN(pipeline, checkpoints), LossOfBatch(state)]
        if distribution.chief:
            output.mkdir(parents=True, exist_ok=True)
            files.write_json(output / "training.json", description)
            evaluators = _evaluators(recogniser, pipeline)
            callbacks += [
                EvaluateAndKeep(recogniser, evaluators, state, config, checkpoints, quiet),
                checkpoints,
            ]
        with (
            contextlib.closing(Progress(config.steps, done, quiet)) as progress,
            damaged_shards(folder, "train"),
            distribution.lost_workers(),
        ):

            def compute(rows):
                inputs, targets = pipeline.compute(rows)
                return recogniser.model_inputs(inputs, targets), targets

            batches = distribution.batches(pipeline.training_rows(done), compute)
            callbacks = [*callbacks[:2], progress, *callbacks[2:]]
            keep = checkpoints if distribution.chief else None
            _fit(model, batches, config.steps - done, callbacks, keep)
            distribution.same(config.steps)  # the others wait for what the chief writes
    elif not quiet:
        _LOGGER.info("%s: all %d steps are done already", output, done)


def _fit(
    model: TrainedModel,
    batches: Any,
    steps: int,
    callbacks: list[keras.callbacks.Callback],
    checkpoints: Checkpoints | None,
) -> None:
    """Train; the last step has a checkpoint, also of a training that is interrupted."""

    def save() -> None:
        if checkpoints is not None and checkpoints.is_behind():
            checkpoints.save()

    try:
        # One Keras epoch from here to the end: at the end of each, Keras would put the averaged
        # weights in place of the trained ones.
        model.fit(batches, steps_per_epoch=steps, verbose=0, callbacks=callbacks)
    except KeyboardInterrupt:
        save()
        raise
    save()


def _evaluators(recogniser: Recogniser, pipeline: Pipeline) -> dict[str, Evaluator]:
    """The WER that an evaluation reports, by name: `wer` is that of the last pass."""
    found = {"wer": Evaluator(recogniser.decoder(), pipeline, "dev")}
    for earlier in recogniser.config.kind.passes[:-1]:
        decoder = recogniser.decoder(earlier)
        found[f"wer_{earlier}"] = Evaluator(decoder, pipeline, "dev")
    return found


def _trained_model(
    config: TrainConfig, recogniser: Recogniser, distribution: Distribution
) -> TrainedModel:
    """The model to fit: the recogniser's, or a copy on all replicas or in another precision."""

    def to_run(model):
        if distribution.strategy is not None or config.compute != "float32":
            return training_copy(model, config.compute)
        return model

    model, distillation = to_run(recogniser.model), None
    if config.distillation is not None:
        teacher = load_teacher(config.distillation, config.start, recogniser)
        distillation = Distillation(
            to_run(teacher.model),
            config.distillation,
            scale=recogniser.std / teacher.std,
            shift=(recogniser.mean - teacher.mean) / teacher.std,
            halvings=recogniser.config.encoder.halvings,
            teacher_pass=teacher.config.kind.ctc_pass,
        )
    seed_dropout(model, config.seed)
    losses, scale = recogniser.config.kind.losses(), config.compute == "float16"
    trained = TrainedModel(model, losses, config.optimizer, config.seed, scale, distillation)
    trained.compile(build_optimizer(config.optimizer, config.steps))
    return trained
