"""Where audio comes from: a microphone, through PortAudio."""

import queue
import threading
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import numpy as np

from asr_qat.arrays import Array
from asr_qat.errors import UserError
from tflite_export.runtime.live.sources import Chunk

SILENT_S = 3.0  # without a chunk: the device has gone
WAITING_S = 30.0  # of audio that may wait to be processed; more is lost
WRONG_RATE = -9997  # paInvalidSampleRate of PortAudio

Heard = tuple[Chunk, bool]  # and whether the device lost audio before it


def microphone_chunks(
    sample_rate: int,
    chunk_ms: int,
    stop: threading.Event,
    device: str | None = None,
    overflowed: Callable[[], None] = lambda: None,
) -> Iterator[Chunk]:
    """What the microphone hears until `stop` is set.

    Then it is closed, and what waits comes still. A device that does not record at `sample_rate`
    records at its own rate, and its audio is resampled.

    Args:
        sample_rate: samples per second.
        chunk_ms: milliseconds of one chunk.
        stop: set to end.
        device: number or part of the name; the default one if None.
        overflowed: called when audio was lost before it came here, once until none is.

    Raises:
        UserError: no such device, or it went away, or nobody took its audio.
    """
    sounddevice = _sounddevice()
    waiting: queue.Queue[Heard] = queue.Queue(maxsize=int(WAITING_S * 1000 / chunk_ms) + 1)
    lost = threading.Event()

    def heard(audio: Array, frames: int, time: Any, status: Any) -> None:
        try:
            chunk = Chunk(audio[:, 0].copy(), perf_counter())
            waiting.put_nowait((chunk, status.input_overflow))
        except queue.Full:
            lost.set()

    name = device if device is None or not device.isdigit() else int(device)
    called = "the microphone" if device is None else f"device {device}"
    try:
        rate = _device_rate(sounddevice, name, sample_rate)
        resampler = None if rate == sample_rate else _resampler(rate, sample_rate)
        stream = sounddevice.InputStream(
            samplerate=rate,
            blocksize=max(1, rate * chunk_ms // 1000),
            device=name,
            channels=1,
            dtype="float32",
            callback=heard,
        )
        overflow = False
        for (samples, arrived), gap in _taken(stream, waiting, stop, lost, called):
            if gap and not overflow:
                overflowed()
            overflow = gap
            if resampler:
                samples = resampler.resample_chunk(samples)
            yield Chunk(np.clip(samples, -1.0, 1.0), arrived)
        if resampler:
            rest = resampler.resample_chunk(np.zeros(0, np.float32), last=True)
            yield Chunk(np.clip(rest, -1.0, 1.0), perf_counter())
    except (sounddevice.PortAudioError, ValueError) as error:
        raise UserError(f"{called}: {error}: see `tflite-export listen --list-devices`") from None


def _device_rate(sounddevice: Any, name: int | str | None, wanted: int) -> int:
    """`wanted` if the device records at it, else its own rate."""
    try:
        sounddevice.check_input_settings(name, channels=1, dtype="float32", samplerate=wanted)
    except sounddevice.PortAudioError as error:
        if error.args[1:2] != (WRONG_RATE,):
            raise
        return int(round(sounddevice.query_devices(name, "input")["default_samplerate"]))
    return wanted


def _resampler(rate: int, wanted: int) -> Any:
    import soxr

    return soxr.ResampleStream(rate, wanted, 1)


def _taken(
    stream: Any,
    waiting: queue.Queue[Heard],
    stop: threading.Event,
    lost: threading.Event,
    called: str,
) -> Iterator[Heard]:
    missed = 0.0
    with stream:
        while not stop.is_set():
            if lost.is_set():
                raise UserError(
                    f"{called}: {WAITING_S:.0f} s of audio wait to be processed: this machine is "
                    "too slow for the model: try --chunk-ms 240"
                )
            try:
                heard = waiting.get(timeout=0.1)
            except queue.Empty:
                missed += 0.1
                if missed > SILENT_S:
                    raise UserError(
                        f"{called}: it gives no audio: is it still connected?"
                    ) from None
                continue
            missed = 0.0
            yield heard
    while not waiting.empty():
        yield waiting.get()


def device_list() -> str:
    """The devices, a line for each that can record.

    Raises:
        UserError: there is none.
    """
    sounddevice = _sounddevice()
    default = sounddevice.default.device[0]
    lines = [
        f"{'*' if index == default else ' '} {index}  {device['name']}"
        for index, device in enumerate(sounddevice.query_devices())
        if device["max_input_channels"] > 0
    ]
    if not lines:
        raise UserError("no device that records: connect a microphone, or listen to a --file")
    return "\n".join(lines)


def _sounddevice() -> Any:
    try:
        import sounddevice
    except OSError:  # the library behind the module
        raise UserError(
            "PortAudio not found: install it (apt install libportaudio2), or listen to a --file"
        ) from None
    return sounddevice
