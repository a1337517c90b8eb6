"""`training.json`: what a training is, so that no other one goes on from its checkpoints."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from asr_qat import files
from asr_qat.corpora.feature_stats import FeatureStats
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.errors import UserError
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.model_directory import weights_checksum
from asr_qat.models.prediction import TransducerConfig
from asr_qat.models.streaming_config import StreamingConfig
from asr_qat.quantize.apply import QuantizationConfig
from asr_qat.training.config import TrainConfig

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
    "steps",
    "start",
    "checkpoint_minutes",
    "evaluate_every",
    "keep",
    "frames_at_once",
    # What a loss that is not finite is answered with, see `callbacks.StopOnNaN`.
    "optimizer.schedule.peak",
    "optimizer.clip_norm",
)


def describe(config: TrainConfig, folder: PreparedFolder) -> dict[str, Any]:
    """What `training.json` holds: the configuration and checksums of what it begins with.

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
        "vocabulary": folder.tokenizer.checksum,
        "statistics": _statistics(folder.stats),
    }


def _checksum(path: str | None) -> str | None:
    return None if path is None else weights_checksum(path)


def _statistics(stats: FeatureStats) -> str:
    digest = hashlib.sha256(stats.mean.tobytes() + stats.std.tobytes())
    return digest.hexdigest()


def check_same(output: Path, description: dict[str, Any]) -> None:
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
    before, now = _fixed(before), _fixed(description)
    other = [key for key, value in now.items() if key in before and before[key] != value]
    if other:
        raise UserError(
            f"{output}: was trained with other {', '.join(other)}: remove it or choose another "
            "--output"
        )


def _fixed(description: dict[str, Any]) -> dict[str, Any]:
    """A copy without what may change, and with lists for tuples."""
    found = json.loads(json.dumps(description))
    for name in MAY_CHANGE:
        *above, last = name.split(".")
        part = found
        for key in above:
            part = part.get(key) if isinstance(part, dict) else None
        if isinstance(part, dict):
            part.pop(last, None)
    return found
