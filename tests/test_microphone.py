"""The microphone of `tflite-export listen`, with a `sounddevice` that has no hardware."""

import sys
import threading
import time
import types

import numpy as np
import pytest

from asr_qat.errors import UserError
from tests.live_reference import speech
from tflite_export.runtime.live import microphone

pytest_plugins = ["tests.live_file", "tests.export_fixtures"]


class FakeStream:
    """Gives three chunks, then nothing."""

    chunks, lost = 3, ()  # lost: numbers of chunks that audio is missing before

    def __init__(self, blocksize, callback, **options):
        self.arguments, self.options = (blocksize, callback), options

    def __enter__(self):
        blocksize, callback = self.arguments
        for value in range(self.chunks):
            status = types.SimpleNamespace(input_overflow=value in self.lost)
            callback(np.full((blocksize, 1), value / 4, np.float32), blocksize, None, status)

    def __exit__(self, *error):
        pass


@pytest.fixture
def devices(monkeypatch):
    """A `sounddevice` without hardware."""
    names = [{"name": "speaker", "max_input_channels": 0}, {"name": "mic", "max_input_channels": 1}]
    module = types.SimpleNamespace(
        InputStream=type("Stream", (FakeStream,), {}),
        PortAudioError=type("PortAudioError", (Exception,), {}),
        default=types.SimpleNamespace(device=[1, 0]),
        query_devices=lambda: names,
        check_input_settings=lambda device, **settings: None,
    )
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    monkeypatch.setattr(microphone, "SILENT_S", 0.3)
    return module


def test_a_device_that_vanishes(devices):
    chunks = microphone.microphone_chunks(16000, 100, threading.Event())
    assert [next(chunks).samples[0] for _ in range(3)] == [0.0, 0.25, 0.5]
    with pytest.raises(UserError, match="the microphone: it gives no audio"):
        next(chunks)


def test_a_device_that_is_missing(devices):
    def missing(device, **options):
        raise ValueError(f"No input device matching {device!r}")

    devices.InputStream = missing
    with pytest.raises(UserError, match="device xyz: No input device matching 'xyz'"):
        next(microphone.microphone_chunks(16000, 100, threading.Event(), "xyz"))


def test_nobody_takes_the_audio(devices):
    devices.InputStream.chunks = 1000
    with pytest.raises(UserError, match="too slow"):
        list(microphone.microphone_chunks(16000, 100, threading.Event()))


@pytest.mark.parametrize("rate", [44100.0, 48000.0])
def test_a_device_of_another_rate(devices, rate):
    """A tone recorded at the device's own rate is that tone at the rate of the model."""

    def refused(device, samplerate, **options):
        assert (device, samplerate) == (3, 16000)
        raise devices.PortAudioError("Invalid sample rate", -9997)

    def enter(self):
        blocksize, callback = self.arguments
        assert (blocksize, self.options["samplerate"]) == (rate // 10, rate)
        samples = np.arange(10 * blocksize, dtype=np.float32)
        for piece in np.split(0.5 * np.sin(2 * np.pi * 1000 / rate * samples), 10):
            status = types.SimpleNamespace(input_overflow=False)
            callback(piece[:, None].astype(np.float32), blocksize, None, status)
        stop.set()  # all is heard

    stop = threading.Event()
    devices.check_input_settings = refused
    devices.query_devices = lambda device, kind: {"default_samplerate": rate}
    devices.InputStream.__enter__ = enter
    chunks = microphone.microphone_chunks(16000, 100, stop, "3")
    heard = np.concatenate([chunk.samples for chunk in chunks])
    assert heard.dtype == np.float32 and abs(len(heard) - 16000) <= 1
    expected = 0.5 * np.sin(2 * np.pi * 1000 / 16000 * np.arange(len(heard)))
    np.testing.assert_allclose(heard[800:-800], expected[800:-800], atol=1e-3)


def test_a_device_that_loses_audio(devices):
    devices.InputStream.chunks, devices.InputStream.lost = 8, (2, 3, 4, 6)
    said, heard = [], []
    stop = threading.Event()
    chunks = microphone.microphone_chunks(
        16000, 100, stop, overflowed=lambda: said.append(len(heard))
    )
    for _ in range(8):
        heard.append(next(chunks))
    assert said == [2, 6]


def test_stop(devices):
    """The device is closed; what it heard before comes still."""
    stop, closed = threading.Event(), []
    devices.InputStream.__exit__ = lambda *arguments: closed.append(True)
    chunks = microphone.microphone_chunks(16000, 100, stop)
    assert next(chunks).samples[0] == 0.0 and not closed
    stop.set()
    assert [chunk.samples[0] for chunk in chunks] == [0.25, 0.5] and closed == [True]


def test_list_devices(devices, tflite_export):
    assert tflite_export("listen", "--list-devices") == (0, "* 1  mic\n", "")
    devices.query_devices = lambda: []
    code, _, err = tflite_export("listen", "--list-devices")
    assert code == 1 and "no device that records" in err


@pytest.mark.slow
def test_chunks_that_waited_are_late(devices, tflite_export, live_file, monkeypatch):
    """However fast they are processed then."""
    monkeypatch.setattr(microphone, "perf_counter", lambda: time.perf_counter() - 2.0)
    code, _, err = tflite_export("listen", live_file)
    assert code == 1
    assert [line[:9] for line in err.splitlines()[:-1]] == ["(1 chunk ", "(2 chunks"]


@pytest.mark.slow
def test_the_words_before_a_device_vanished(devices, tflite_export, live_file, monkeypatch):
    audio = speech(2.0, 1)

    def enter(self):
        blocksize, callback = self.arguments
        for at in range(0, len(audio) - blocksize, blocksize):
            status = types.SimpleNamespace(input_overflow=False)
            callback(audio[at : at + blocksize, None], blocksize, None, status)

    devices.InputStream.__enter__ = enter
    code, out, err = tflite_export("listen", live_file)
    assert code == 1 and out.strip()
    assert err.splitlines()[-1] == (  # before it maybe that this machine is slow
        "tflite-export: error: the microphone: it gives no audio: is it still connected?"
    )


def test_no_portaudio(monkeypatch):
    class Broken:
        def find_spec(self, name, path=None, target=None):
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(UserError, match="PortAudio not found: install it"):
        microphone.device_list()
