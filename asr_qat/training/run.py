"""One training run: a configuration in, a model directory out."""

import contextlib
import dataclasses
import json
import logging
from pathlib import Path
from typing import Any

from tensorflow import keras

from asr_qat import files
from asr_qat.compat import all_layers
from asr_qat.corpora.dataset import Pipeline
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.errors import UserError, require
from asr_qat.layers.both_passes import OnePass
from asr_qat.layers.dropout import Dropout
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.model_directory import Recogniser, weights_checksum
from asr_qat.models.prediction import TransducerConfig
from asr_qat.models.streaming_config import StreamingConfig
from asr_qat.quantize.apply import QuantizationConfig, steps_to_complete
from asr_qat.training.callbacks import (
    Checkpoints,
    EvaluateAndKeep,
    LossOfBatch,
    Progress,
    State,
    StopOnNaN,
)
from asr_qat.training.config import OptimizerConfig, TrainConfig
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
# Keys that describe the model's shape, and the classes of their values.
SHAPES = {
    "encoder": EncoderConfig,
    "transducer": TransducerConfig,
    "streaming": StreamingConfig,
}
# What a training may be resumed with other values of: `start_weights` stands for `start`.
MAY_CHANGE = (
    "data",
    "output",
    "start",
    "checkpoint_minutes",
    "evaluate_every",
    "keep",
    "frames_at_once",
)


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


def train(config: TrainConfig, quiet: bool = False) -> Recogniser:
    """Start or resume the run that `config` describes.

    Returns:
        The recogniser that was saved in `config.output`.

    Raises:
        UserError: bad configuration or data, an output that was trained with another
            configuration, a loss that is not finite, a full disk.
    """
    distribution = choose_distribution()  # before TensorFlow computes anything
    keep_graphs_as_they_are()
    folder = PreparedFolder(config.data)
    for split in ("train", "dev"):
        folder.shards(split)
    output = files.place(config.output)
    description = _description(config)
    _check_same(output, description)
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
    quiet = quiet or not distribution.chief
    if done < config.steps:
        if done and not quiet:
            _LOGGER.info("%s: going on from step %d", output, done)
        callbacks = [StopOnNaN(pipeline), LossOfBatch(state)]
        if distribution.chief:
            output.mkdir(parents=True, exist_ok=True)
            files.write_json(output / "training.json", description)
            evaluators = _evaluators(recogniser, pipeline)
            callbacks += [
                EvaluateAndKeep(recogniser, evaluators, state, config, quiet),
                checkpoints,
            ]
        with (
            contextlib.closing(Progress(config.steps, done, quiet)) as progress,
            damaged_shards(folder, "train"),
            distribution.lost_workers(),
        ):
            batches = pipeline.training(done).map(
                lambda inputs, targets: (recogniser.model_inputs(inputs, targets), targets)
            )
            callbacks = [*callbacks[:2], progress, *callbacks[2:]]
            keep = checkpoints if distribution.chief else None
            _fit(model, distribution.batches(batches), config.steps - done, callbacks, keep)
            distribution.same(config.steps)  # the others wait for what the chief writes
    elif not quiet:
        _LOGGER.info("%s: all %d steps are done already", output, done)
    return Recogniser.load(output)


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


def _description(config: TrainConfig) -> dict[str, Any]:
    """What `training.json` holds: the configuration and checksums of the models it begins with.

    The model's shape is in it, since a preset is only a name. The teacher is that of the checksum,
    wherever it lies.
    """
    values = dataclasses.asdict(config)
    if config.distillation is not None:
        del values["distillation"]["teacher"]
    shapes = {
        "encoder": config.encoder_config(),
        "transducer": config.transducer_config(),
        "streaming": config.streaming_config(),
    }
    return {
        **values,
        **{key: None if s is None else dataclasses.asdict(s) for key, s in shapes.items()},
        "start_weights": _checksum(config.start),
        "teacher_weights": _checksum(config.teacher()),
    }


def _checksum(path: str | None) -> str | None:
    return None if path is None else weights_checksum(path)


def _check_same(output: Path, description: dict[str, Any]) -> None:
    """Raise `UserError` if the checkpoints in `output` belong to another training."""
    path = output / "training.json"
    if not (path.is_file() and (output / "checkpoints/checkpoint").is_file()):
        return
    before = files.read_json(path)
    if not isinstance(before, dict):
        raise UserError(f"{path}: damaged: remove {output} or choose another --output")
    defaults = dataclasses.asdict(TrainConfig("", "", 1, quantization=QuantizationConfig()))
    for key, kind in SHAPES.items():
        fields = dataclasses.fields(kind)
        defaults[key] = {f.name: f.default for f in fields if f.default is not dataclasses.MISSING}
    for key, default in defaults.items():
        if isinstance(default, dict) and isinstance(before.get(key), dict):
            before[key] = default | before[key]  # settings that earlier versions did not have
    before = json.loads(json.dumps(before))  # tuples become lists
    now = json.loads(json.dumps(description))
    other = [
        key
        for key, value in now.items()
        if key not in MAY_CHANGE and key in before and before[key] != value
    ]
    if other:
        raise UserError(
            f"{output}: was trained with other {', '.join(other)}: remove it or choose another "
            "--output"
        )
