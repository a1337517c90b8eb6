"""One training run: a configuration in, a model directory out."""

import contextlib
import dataclasses
import json
from pathlib import Path
from typing import Any

from tensorflow import keras

from asr_qat import files
from asr_qat.corpora.dataset import Pipeline
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.errors import UserError
from asr_qat.layers.dropout import Dropout
from asr_qat.losses.ctc import CTCLoss
from asr_qat.models.conformer import EncoderConfig
from asr_qat.models.model_directory import ModelConfig, Recogniser, weights_checksum
from asr_qat.quantize.apply import quantize_model
from asr_qat.training.callbacks import (
    Checkpoints,
    EvaluateAndKeep,
    LossOfBatch,
    Progress,
    State,
    StopOnNaN,
)
from asr_qat.training.config import OptimizerConfig, TrainConfig
from asr_qat.training.schedule import WarmupSchedule
from asr_qat.training.word_error_rate import Evaluator, damaged_shards

# What a training may be resumed with other values of: `start_weights` stands for `start`.
MAY_CHANGE = ("data", "output", "start", "checkpoint_minutes", "evaluate_every", "keep")


def seed_everything(seed: int) -> None:
    """Seed weight initialisation; call it before the model is built."""
    keras.utils.set_random_seed(seed)


def seed_dropout(model: keras.Model, seed: int) -> None:
    """Start the dropout layers' random sequences anew."""
    for layer in model._flatten_layers():
        if isinstance(layer, Dropout):
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
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def train(config: TrainConfig, quiet: bool = False) -> Recogniser:
    """Train, or go on with, the run that `config` describes.

    Returns:
        The recogniser that was saved in `config.output`.

    Raises:
        UserError: bad configuration or data, an output that was trained with another
            configuration, a loss that is not finite, a full disk.
    """
    folder = PreparedFolder(config.data)
    for split in ("train", "dev"):
        folder.shards(split)
    output = Path(config.output)
    description = _description(config)
    _check_same(output, description)
    seed_everything(config.seed)
    recogniser = _recogniser(config, folder)
    seed_dropout(recogniser.model, config.seed)
    stats = dataclasses.replace(
        folder.stats,
        mean=recogniser.mean,
        std=recogniser.std,
        front_end=recogniser.config.front_end,
    )
    pipeline = Pipeline(folder, config.batches, config.seed, stats)
    model = recogniser.model
    model.compile(build_optimizer(config.optimizer, config.steps), CTCLoss())
    state = State()
    checkpoints = Checkpoints(model, state, output / "checkpoints", config.checkpoint_minutes)
    done = checkpoints.restore()
    if done < config.steps:
        output.mkdir(parents=True, exist_ok=True)
        files.write_json(output / "training.json", description)
        evaluator = Evaluator(model, pipeline, "dev")
        with (
            contextlib.closing(Progress(config.steps, done, quiet)) as progress,
            damaged_shards(folder, "train"),
        ):
            # One Keras epoch from here to the end: at the end of each, Keras would put the
            # averaged weights in the place of the trained ones.
            model.fit(
                pipeline.training(done),
                steps_per_epoch=config.steps - done,
                verbose=0,
                callbacks=[
                    StopOnNaN(pipeline),
                    LossOfBatch(state),
                    progress,
                    EvaluateAndKeep(recogniser, evaluator, state, config, quiet),
                    checkpoints,
                ],
            )
        checkpoints.save()
    elif not quiet:
        print(f"{output}: all {done} steps are done already")
    return Recogniser.load(output)


def _description(config: TrainConfig) -> dict[str, Any]:
    """What `training.json` holds: the configuration and a checksum of the first weights.

    The encoder's shape is in it, since a preset is only a name.
    """
    start = None
    if config.start is not None:
        try:
            start = weights_checksum(config.start)
        except (FileNotFoundError, NotADirectoryError):
            start = None  # `Recogniser.load` says what is missing
    encoder = config.encoder_config()
    return {
        **dataclasses.asdict(config),
        "encoder": None if encoder is None else dataclasses.asdict(encoder),
        "start_weights": start,
    }


def _check_same(output: Path, description: dict[str, Any]) -> None:
    """Raise `UserError` if the checkpoints in `output` belong to another training."""
    path = output / "training.json"
    if not (path.is_file() and (output / "checkpoints/checkpoint").is_file()):
        return
    before = files.read_json(path)
    if not isinstance(before, dict):
        raise UserError(f"{path}: damaged: remove {output} or choose another --output")
    now = json.loads(json.dumps(description))  # tuples become lists
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


def _recogniser(config: TrainConfig, folder: PreparedFolder) -> Recogniser:
    """A new model, or one with the weights of `config.start`, quantized if wanted."""
    stats, encoder = folder.stats, config.encoder_config()
    if config.start is None:
        assert encoder is not None
        model_config = ModelConfig(encoder, stats.front_end, config.quantization)
        return Recogniser.create(model_config, folder.tokenizer, stats.mean, stats.std)
    started = Recogniser.load(config.start)
    if started.tokenizer.proto != folder.tokenizer.proto:
        raise UserError(
            f"{config.data}: its vocabulary is not that of {config.start}: prepare it with "
            f"`--tokenizer {config.start}/tokenizer.model`"
        )
    if encoder is not None:
        started = _with_dropout(started, encoder, config.start)
    before, wanted = started.config.quantization, config.quantization
    if wanted is None or wanted == before:
        return started
    if before is not None:
        raise UserError(
            f"{config.start}: is quantized already ({before.precision} {before.mode}): start from "
            "a float model, or leave quantization away to train on as it is"
        )
    return dataclasses.replace(
        started,
        config=dataclasses.replace(started.config, quantization=wanted),
        model=quantize_model(started.model, wanted),
    )


def _with_dropout(started: Recogniser, encoder: EncoderConfig, start: str) -> Recogniser:
    """The same weights with the dropout of `encoder`, which may differ in nothing else."""
    before = started.config.encoder
    if encoder == before:
        return started
    if dataclasses.replace(encoder, dropout=before.dropout) != before:
        raise UserError(
            f"encoder: not that of {start}, dropout aside: leave encoder and preset away, or start"
        )
    config = dataclasses.replace(started.config, encoder=encoder)
    recogniser = Recogniser.create(config, started.tokenizer, started.mean, started.std)
    recogniser.model.set_weights(started.model.get_weights())
    return recogniser
