"""The model that a training begins with: new, or one with the weights of another."""

import dataclasses
from typing import Any

from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.errors import UserError, require
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.model_config import ModelConfig
from asr_qat.models.model_directory import Recogniser
from asr_qat.models.prediction import TransducerConfig
from asr_qat.models.presets import PRESETS, TRANSDUCERS
from asr_qat.models.streaming_config import StreamingConfig
from asr_qat.quantize.apply import QuantizationConfig
from asr_qat.training.config import TrainConfig
from asr_qat.training.quantized import quantized
from asr_qat.training.start_live import live_from_whole, set_if_fitting

# What may differ from the model whose weights are taken: it changes the training alone.
FREE = (
    "dropout",
    "ctc_weight",
    "frames_at_once",
    "causal_weight",
    "sampling",
    "sigma",
    "omega",
)


def first_recogniser(config: TrainConfig, folder: PreparedFolder) -> Recogniser:
    """A new model, or one with the weights of `config.start`, quantized if wanted.

    Raises:
        UserError: `config.start` is no model, or one that does not suit the configuration.
    """
    stats, encoder = folder.stats, config.encoder_config()
    if config.start is None:
        assert encoder is not None
        transducer = _with_frames(config, config.transducer_config())
        shape = ModelConfig(
            encoder,
            stats.front_end,
            transducer=transducer,
            streaming=config.streaming_config(),
            normalizer=folder.normalizer,
        )
        new = Recogniser.create(shape, folder.tokenizer, stats.mean, stats.std)
        return _quantized(new, config.quantization, folder)
    started = Recogniser.load(config.start)
    if config.adapt:
        require(
            started.config.quantization is None,
            f"{config.start}: is quantized: adapt a float model",
        )
        started = _adapted(started, folder)
    if started.tokenizer.proto != folder.tokenizer.proto:
        raise UserError(
            f"{config.data}: its vocabulary is not that of {config.start}: prepare it with "
            f"`--tokenizer {config.start}/tokenizer.model`"
        )
    if started.config.normalizer != folder.normalizer:
        raise UserError(
            f"{config.data}: its texts went through the normaliser {folder.normalizer}, those of "
            f"{config.start} through {started.config.normalizer}: prepare it with "
            f"`--normalizer {started.config.normalizer}`"
        )
    transducer = _with_frames(config, _transducer(config, started.config))
    streaming = config.streaming_config()
    if streaming is not None and not started.config.kind.streams:
        shape = dataclasses.replace(
            started.config,
            encoder=config.encoder_config() or started.config.encoder,
            transducer=transducer,
            streaming=streaming,
        )
        require(
            started.config.quantization is None,
            f"{config.start}: is quantized: start a live model from a float one",
        )
        return _quantized(live_from_whole(started, shape), config.quantization, folder)
    shape = dataclasses.replace(
        started.config,
        encoder=_encoder(config, started.config),
        transducer=transducer,
        streaming=_streaming(config, started.config),
    )
    started = _with_shape(started, shape)
    before, wanted = started.config.quantization, config.quantization
    if wanted is None or wanted == before:
        return started
    if before is not None:
        raise UserError(
            f"{config.start}: is quantized already ({before.precision} {before.mode}): start from "
            "a float model, or omit quantization to train on as it is"
        )
    return _quantized(started, wanted, folder)


def _adapted(started: Recogniser, folder: PreparedFolder) -> Recogniser:
    """The weights of a model with the vocabulary and the features of a folder."""
    stats = folder.stats
    shape = dataclasses.replace(
        started.config, front_end=stats.front_end, normalizer=folder.normalizer
    )
    require(
        stats.front_end.mel_bins == started.config.front_end.mel_bins,
        f"{folder.path}: has {stats.front_end.mel_bins} mel bins, the model to adapt "
        f"{started.config.front_end.mel_bins}",
    )
    adapted = Recogniser.create(shape, folder.tokenizer, stats.mean, stats.std)
    _take_over(started, adapted)
    return adapted


def _take_over(started: Recogniser, into: Recogniser) -> list[str]:
    """Give layers the weights of those of the same name; the names of those that do not fit."""
    weights = {layer.name: layer.get_weights() for layer in started.model.layers}
    return [
        layer.name
        for layer in into.model.layers
        if weights.get(layer.name) and not set_if_fitting(layer, weights[layer.name])
    ]


def _quantized(
    plain: Recogniser, quantization: QuantizationConfig | None, folder: PreparedFolder
) -> Recogniser:
    """As quantized training begins; the float recogniser itself without a quantization."""
    return plain if quantization is None else quantized(plain, quantization, folder)


def _encoder(config: TrainConfig, started: ModelConfig) -> EncoderConfig:
    """The encoder's shape: that of `start`, with another dropout if one is given."""
    encoder = config.encoder_config()
    if encoder is None:
        return started.encoder
    if _fixed(encoder) != _fixed(started.encoder):
        raise UserError(
            f"encoder: not that of {config.start}, dropout aside: omit encoder and preset, or start"
        )
    return encoder


def _transducer(config: TrainConfig, started: ModelConfig) -> TransducerConfig | None:
    """Shape of prediction and joint networks: that of `start`, or new ones on a CTC encoder."""
    before = started.transducer
    if before is None:
        if config.model == "transducer" and started.quantization is not None:
            raise UserError(
                f"{config.start}: a quantized CTC model: start a transducer from a float one"
            )
        if config.model != "transducer":
            return None
        return config.transducer_config() or _of_encoder(started.encoder, config.start)
    if config.model == "ctc":
        raise UserError(f"{config.start}: a transducer: omit `model: ctc`, or start")
    given = config.transducer
    if given is None:
        return before
    if _fixed(given) != _fixed(before):
        raise UserError(
            f"transducer: not the shape of {config.start}, apart from {', '.join(FREE)}: leave "
            "transducer away, or start"
        )
    return given


def _streaming(config: TrainConfig, started: ModelConfig) -> StreamingConfig | None:
    """Contexts and cascade: those of `start`, with other losses if they are given."""
    given, before = config.streaming_config(), started.streaming
    if given is None or before is None:
        return before
    if _fixed(given) != _fixed(before):
        raise UserError(
            f"streaming: not that of {config.start}, apart from causal_weight and sampling: leave "
            "streaming and preset away, or start"
        )
    return given


def _with_frames(
    config: TrainConfig, transducer: TransducerConfig | None
) -> TransducerConfig | None:
    if transducer is None or config.frames_at_once is None:
        return transducer
    return dataclasses.replace(transducer, frames_at_once=config.frames_at_once)


def _of_encoder(encoder: EncoderConfig, start: str | None) -> TransducerConfig:
    """The prediction and joint networks of the preset with this encoder."""
    for name, preset in PRESETS.items():
        if _fixed(preset) == _fixed(encoder):
            return TRANSDUCERS[name]
    raise UserError(f"{start}: its encoder is that of no preset: give the shape in `transducer`")


def _fixed(shape: EncoderConfig | TransducerConfig | StreamingConfig) -> dict[str, Any]:
    return {k: v for k, v in dataclasses.asdict(shape).items() if k not in FREE}


def _with_shape(started: Recogniser, config: ModelConfig) -> Recogniser:
    """The same weights in another model, layer by layer; layers that are new keep theirs."""
    if config == started.config:
        return started
    changed = Recogniser.create(config, started.tokenizer, started.mean, started.std)
    other = _take_over(started, changed)
    assert not other, f"layers of another shape: {other}"
    return changed
