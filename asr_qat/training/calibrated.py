"""Quantize a float recogniser after training, for speech like that which it will hear."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from asr_qat.arrays import Array
from asr_qat.audio.front_end import log_mel, normalize
from asr_qat.corpora.recordings import read_each
from asr_qat.corpora.unlabelled import speech
from asr_qat.corpora.utterance import Utterance
from asr_qat.errors import require
from asr_qat.models.model_directory import Recogniser
from asr_qat.progress import progress
from asr_qat.quantize.apply import QuantizationConfig
from asr_qat.quantize.calibrated import quantize_calibrated
from asr_qat.quantize.second_order import Rounding
from asr_qat.training.quantized import after_training

UTTERANCES = 128
LONGEST_S = 20.0  # of a piece: what is longer is cut
TOGETHER = 8  # pieces in a batch, at most,
SHARE = 0.8  # of which the longest keeps at least so much


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Speech to calibrate on; nobody has to know its words.

    Attributes:
        data: a prepared folder (its training split), a folder of recordings, a manifest, or a
            recording.
        utterances: pieces of it, at most, of 20 s or less, drawn at random.
        seed: of the draw.
        quiet: without progress.
        rounding: how weights are rounded before they are improved one by one: second-order
            (`gptq`), learned (`adaround`), or, without that, to the `nearest` values.
    """

    data: str | Path
    utterances: int = UTTERANCES
    seed: int = 0
    quiet: bool = True
    rounding: Rounding = "gptq"

    def recordings(self) -> list[Utterance]:
        """Those that are drawn. Raises `UserError` if there are none."""
        return speech(self.data, self.utterances, self.seed)


def calibrated(
    recogniser: Recogniser, precision: str | QuantizationConfig, calibration: Calibration
) -> Recogniser:
    """A copy that was quantized after training, its weights rounded for some speech.

    Kernels are rounded layer by layer, see `asr_qat.quantize.calibrated`. A transducer's prediction
    network sees what the float model recognises; its joint network is rounded to the nearest.

    Args:
        recogniser: float; it is left as it is.
        precision: as of `asr_qat.training.quantized.post_training`.
        calibration: the speech.

    Raises:
        UserError: no such speech, or none that can be read.
    """
    quantization = after_training(precision)
    batches = list(_batches(recogniser, calibration))
    model = quantize_calibrated(
        recogniser.model, quantization, batches, calibration.quiet, calibration.rounding
    )
    config = dataclasses.replace(recogniser.config, quantization=quantization)
    return dataclasses.replace(recogniser, config=config, model=model)


def _batches(recogniser: Recogniser, calibration: Calibration) -> Iterator[Any]:
    """Inputs of the model, of pieces that are about as long: all are cut to the shortest.

    So nothing is padded. Labels are those that a transducer recognises, as many for each.
    """
    decoder = recogniser.decoder() if recogniser.config.kind.reads_labels else None
    for pieces in _alike(sorted(speech_pieces(recogniser, calibration), key=len)):
        frames = len(pieces[0])
        inputs = (
            np.stack([each[:frames] for each in pieces]),
            np.full(len(pieces), frames, np.int32),
        )
        if decoder is None:
            yield inputs
            continue
        found = decoder.search(decoder.encode(*inputs), inputs[1])
        count = min(map(len, found))
        labels = [tokens[:count] for tokens in found]
        yield (*inputs, np.array(labels, np.int32).reshape(len(labels), count))


def _alike(pieces: list[Array]) -> Iterator[list[Array]]:
    """Neighbours of a list from short to long, those of a batch each."""
    batch: list[Array] = []
    for each in pieces:
        if batch and (len(batch) == TOGETHER or len(batch[0]) < SHARE * len(each)):
            yield batch
            batch = []
        batch.append(each)
    yield batch


def recording_features(recogniser: Recogniser, audio: Array) -> Array:
    """Normalised features `[frames, mel_bins]` of a recording `[samples]`."""
    front_end = recogniser.config.front_end
    return normalize(log_mel(audio, front_end), front_end, recogniser.mean, recogniser.std)


def speech_pieces(recogniser: Recogniser, calibration: Calibration) -> Iterator[Array]:
    """Normalised features `[frames, mel_bins]`, of no more than `LONGEST_S`."""
    front_end, items = recogniser.config.front_end, calibration.recordings()
    rate = front_end.sample_rate
    unread: list[Utterance] = []
    longest = front_end.frames(round(LONGEST_S * rate))
    each = -(-calibration.utterances // len(items))  # pieces of a recording, at most
    found = 0
    read = read_each(items, rate, unread)
    for _, audio in progress(read, "hear", len(items), quiet=calibration.quiet):
        features = recording_features(recogniser, audio)
        starts = range(0, len(features), longest)
        places = np.linspace(0, len(starts) - 1, min(each, len(starts))).round().astype(int)
        for place in places[: calibration.utterances - found]:
            yield features[starts[place] : starts[place] + longest]
            found += 1
    require(found > 0, f"{calibration.data}: no speech to calibrate on: all recordings are empty")
