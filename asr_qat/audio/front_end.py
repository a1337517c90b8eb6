"""The log-mel front end: its parameters, its constants and its numpy form.

This module is the one definition. `asr_qat.audio.log_mel` runs the same constants in
TensorFlow for training; devices use the numpy form below and need no TensorFlow.
"""

import dataclasses
import itertools
import math
import typing
from typing import Any, Literal

import numpy as np

from asr_qat.audio.mel_filters import mel_matrix, window
from asr_qat.bounds import (
    LEAST_LOG_FLOOR,
    MOST_LOG_FLOOR,
    MOST_MEL_BINS,
    MOST_RATE,
    MOST_WINDOW,
    require_within,
)
from asr_qat.errors import require

MIN_DEVIATION = 1e-5  # added to the deviation of one utterance's features
LEVEL_DECAY_DB = 1.0  # a second, of the running level after the loudest frame
MIN_LEVEL = 1e-10  # energy of a frame: far below the noise of 16 bits
BLOCK_FRAMES = 6000  # of which the energies are computed together,
FFT_FRAMES = 1000  # and the spectra: those of an hour at once would take gigabytes
HALVINGS = 2  # of the time axis by an encoder that subsamples by 4


@dataclasses.dataclass(frozen=True)
class FrontEndConfig:
    """Parameters of the log-mel front end.

    Attributes:
        sample_rate: samples per second of the audio.
        frame_ms: length of one analysis window in milliseconds.
        hop_ms: distance between windows in milliseconds.
        mel_bins: number of features per frame.
        low_hz: lower edge of the first mel filter.
        high_hz: upper edge of the last mel filter.
        preemphasis: share of the sample before that is subtracted from each; 0 for none.
        window: Hann's, of the FFT (`periodic`) or of filter design (`symmetric`).
        centred: whether frame `i` is about sample `i * hop_length`, with zeros before and after
            the audio, or begins with that sample, without them.
        mel_scale: `htk`, or `slaney` with filters of equal area; both as in librosa.
        log_floor: added to the mel energies before the logarithm.
        normalization: to zero mean and unit deviation of the training `corpus`, or of each
            `utterance`, which then must be there as a whole.
        remove_offset: subtract the mean of each window before it is weighted.
        level: of the energies, as it was `kept`, or divided by the `running` level.
    """

    sample_rate: int = 16000
    frame_ms: float = 25.0
    hop_ms: float = 10.0
    mel_bins: int = 80
    low_hz: float = 20.0
    high_hz: float = 7600.0
    preemphasis: float = 0.0
    window: Literal["periodic", "symmetric"] = "periodic"
    centred: bool = False
    mel_scale: Literal["htk", "slaney"] = "htk"
    log_floor: float = 1e-6
    normalization: Literal["corpus", "utterance"] = "corpus"
    remove_offset: bool = False
    level: Literal["kept", "running"] = "kept"

    def __post_init__(self) -> None:
        """Raise `UserError` for a front end that cannot be computed."""
        require_within("sample_rate", self.sample_rate, 1, MOST_RATE)
        for name in ("frame_ms", "hop_ms"):
            value = getattr(self, name)
            fits = 0 < value < math.inf and round(self.sample_rate * value / 1000) >= 1
            require(fits, f"{name}: {value} is less than one sample at {self.sample_rate} Hz")
            samples = round(self.sample_rate * value / 1000)
            require(samples <= MOST_WINDOW, f"{name}: {value} is more than {MOST_WINDOW:,} samples")
        require_within("mel_bins", self.mel_bins, 1, MOST_MEL_BINS)
        low, high, half = self.low_hz, self.high_hz, self.sample_rate / 2
        require(0 <= low < high, f"low_hz: {low} is not from 0 to below high_hz {high}")
        require(high <= half, f"high_hz: {high} is above half the sample_rate, {half}")
        require(
            0 <= self.preemphasis < 1, f"preemphasis: {self.preemphasis} is not from 0 to below 1"
        )
        require_within("log_floor", self.log_floor, LEAST_LOG_FLOOR, MOST_LOG_FLOOR)
        for name, kind in typing.get_type_hints(FrontEndConfig).items():
            value, known = getattr(self, name), typing.get_args(kind)
            require(not known or value in known, f"{name}: {value} is not one of {known}")

    @property
    def frame_length(self) -> int:
        """Samples in one analysis window."""
        return round(self.sample_rate * self.frame_ms / 1000)

    @property
    def hop_length(self) -> int:
        """Samples between the starts of neighbouring windows."""
        return round(self.sample_rate * self.hop_ms / 1000)

    @property
    def fft_length(self) -> int:
        """The power of two that holds one window."""
        return 1 << (self.frame_length - 1).bit_length()

    @property
    def padding(self) -> int:
        """Zeros before the audio and after it: what of a centred window precedes its middle."""
        return self.fft_length // 2 - (self.fft_length - self.frame_length) // 2

    def require_streaming(self) -> None:
        """Raise `UserError` unless features can be computed while audio arrives."""
        streams = not self.preemphasis and not self.centred and self.normalization == "corpus"
        require(
            streams,
            "front_end: a live model hears audio in pieces: it needs normalization corpus, centred "
            "false and preemphasis 0: train one from nothing, or from a model that has these",
        )

    def frames(self, samples):
        """Feature frames computed from `samples` samples: an integer, an array or a tensor."""
        if self.centred:
            return samples // self.hop_length
        count = 1 + (samples - self.frame_length) // self.hop_length
        return (count + abs(count)) // 2  # the maximum of 0 and it, of a tensor too

    def to_json(self) -> dict[str, Any]:
        """Its fields; those after `high_hz`, which came later, only where they are set."""
        fields = dataclasses.asdict(self)
        later = list(fields)[list(fields).index("high_hz") + 1 :]
        unset = [name for name in later if fields[name] == getattr(FrontEndConfig, name)]
        return {name: value for name, value in fields.items() if name not in unset}


# Of models that are trained from nothing: neither the level of the audio nor an offset matters.
LEVELLED_FRONT_END = FrontEndConfig(log_floor=1e-8, remove_offset=True, level="running")

# Of NVIDIA's NeMo (`AudioToMelSpectrogramPreprocessor`) and of Parakeet in transformers.
NEMO_FRONT_END = FrontEndConfig(
    low_hz=0.0,
    high_hz=8000.0,
    preemphasis=0.97,
    window="symmetric",
    centred=True,
    mel_scale="slaney",
    log_floor=2.0**-24,
    normalization="utterance",
)


def log_mel(audio: np.ndarray, config: FrontEndConfig) -> np.ndarray:
    """Natural logarithm of mel power energies.

    Args:
        audio: float32 `[samples]` in [-1, 1).
        config: the front end.

    Returns:
        float32 `[frames, mel_bins]`; no frames for audio shorter than one window, or than one
        hop of a centred front end.
    """
    return log_mel_after(audio, config, 0.0)[0]  # block by block: an hour takes no more memory


def log_mel_after(
    audio: np.ndarray, config: FrontEndConfig, level: float
) -> tuple[np.ndarray, float]:
    """`log_mel` of audio that goes on, and the running level after it.

    Args:
        audio: float32 `[samples]` in [-1, 1).
        config: the front end.
        level: the running level before it, 0 at the beginning of a recording.
    """
    features = np.empty((config.frames(len(audio)), config.mel_bins), np.float32)
    for first in range(0, len(features), BLOCK_FRAMES):
        block = features[first : first + BLOCK_FRAMES]
        energies = _mel_energies(audio, config, first, first + len(block))
        if config.level == "running":
            levels = running_level(energies.sum(axis=1), config, level)
            level = float(levels[-1])
            energies = (energies / levels[:, None]).astype(np.float32)
        block[:] = np.log(energies + config.log_floor)
    return features, level


def level_decay(config: FrontEndConfig) -> float:
    """Factor of the running level from one frame to the next."""
    return float(10 ** (-LEVEL_DECAY_DB / 10 * config.hop_ms / 1000))


def running_level(energies: np.ndarray, config: FrontEndConfig, before: float = 0.0) -> np.ndarray:
    """Energy of the loudest frame so far, which counts for less the longer ago it was.

    `level[t] = max(energies[t], decay * level[t - 1], MIN_LEVEL)`: causal, so that live models
    have it too, and proportional to the energies where they are not next to nothing.

    Args:
        energies: float `[frames]`, of all bins together.
        config: the front end.
        before: the level before the first of them.

    Returns:
        float64 `[frames]`.
    """
    decay = level_decay(config)
    rest = itertools.accumulate(
        np.asarray(energies, np.float64).tolist(),
        lambda level, energy: max(energy, level * decay, MIN_LEVEL),
        initial=before,
    )
    return np.fromiter(rest, np.float64)[1:]


def _mel_energies(audio: np.ndarray, config: FrontEndConfig, first: int, end: int) -> np.ndarray:
    """Mel power energies of frames `first` to `end`, float32 `[frames, mel_bins]`."""
    power = np.empty((end - first, config.fft_length // 2 + 1), np.float32)
    for begin in range(first, end, FFT_FRAMES):
        some = power[begin - first : begin - first + FFT_FRAMES]
        seen = _seen(audio, config, begin, begin + len(some))
        frames = np.lib.stride_tricks.sliding_window_view(seen, config.frame_length)
        frames = frames[:: config.hop_length]
        if config.remove_offset:
            frames = frames - frames.mean(axis=1, keepdims=True)
        spectrum = np.fft.rfft(frames * window(config), config.fft_length)
        some[:] = spectrum.real**2 + spectrum.imag**2
    return power @ mel_matrix(config)


def _seen(audio: np.ndarray, config: FrontEndConfig, first: int, end: int) -> np.ndarray:
    """The samples that the windows of these frames see, zeros before the audio and after it."""
    padding = config.padding if config.centred else 0
    start = first * config.hop_length - padding
    stop = (end - 1) * config.hop_length + config.frame_length - padding
    seen = audio[max(0, start) : stop]
    if config.preemphasis:
        before = audio[max(0, start - 1) : stop - 1][: len(seen)]
        if start <= 0:
            before = np.concatenate([np.zeros(1, np.float32), before[: len(seen) - 1]])
        seen = seen - np.float32(config.preemphasis) * before
    if start < 0 or stop > len(audio):
        seen = np.pad(seen, (max(0, -start), max(0, stop - len(audio))))
    return seen


def normalize(
    features: np.ndarray,
    config: FrontEndConfig,
    mean: np.ndarray,
    std: np.ndarray,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Features at zero mean and unit deviation, of the corpus or of themselves.

    Args:
        features: float32 `[frames, mel_bins]`, of one whole utterance.
        config: the front end, which says of which.
        mean: float32 `[mel_bins]` of the training corpus.
        std: float32 `[mel_bins]` of the training corpus.
        out: where to write them, which may be `features`; None for a new array.

    Returns:
        float32 `[frames, mel_bins]`.
    """
    blocks = [slice(at, at + BLOCK_FRAMES) for at in range(0, len(features), BLOCK_FRAMES)]
    if config.normalization == "utterance" and len(features):
        mean = features.mean(axis=0, dtype=np.float64)
        squares = sum(np.square(features[block] - mean).sum(axis=0) for block in blocks)
        std = np.sqrt(squares / max(1, len(features) - 1)) + MIN_DEVIATION
    out = np.empty(features.shape, np.float32) if out is None else out
    for block in blocks:
        out[block] = (features[block] - mean) / std
    return out


def subsampled_length(length, halvings: int = HALVINGS):
    """Frames left of `length` feature frames when the time axis was halved so many times.

    Each halving is a convolution of kernel 3, stride 2 and padding 1, see
    `EncoderConfig.halvings`. Takes an integer, an array or a tensor.
    """
    for _ in range(halvings):
        length = (length + 1) // 2
    return length
