"""The page in a real browser, with a file in place of the microphone."""

import time

import numpy as np
import pytest
import soundfile

from asr_qat.models.model_directory import Recogniser
from experiments.browser.chromium import PATIENCE_S, browser, chromium
from experiments.live.undisturbed_session import events_alone
from tests.live_reference import reference_model
from tests.server_fixtures import RULE, client, running
from tests.training_fixtures import REPOSITORY
from tflite_export.convert.convert import convert_recogniser
from tflite_export.runtime.live import messages
from tflite_export.runtime.live.endpoint import EndpointConfig
from tflite_export.runtime.live.events import Transcript
from tflite_export.runtime.live.limits import Limits
from tflite_export.runtime.live.live_model import load_model
from tflite_export.runtime.live.session import Session

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not chromium(), reason="no chromium on this machine"),
]
TONE_HZ = 1000


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Ten seconds at 16 kHz: a tone that comes and goes."""
    n = np.arange(160000)
    audio = 0.3 * np.sin(2 * np.pi * TONE_HZ * n / 16000) * (np.sin(2 * np.pi * n / 16000) > 0)
    path = tmp_path_factory.mktemp("page") / "tone.wav"
    soundfile.write(path, audio, 16000, subtype="PCM_16")
    return path


@pytest.fixture(scope="module")
def tab(recording, tmp_path_factory):
    """A tab of a browser that hears the tone: a page that is opened in it begins anew."""
    with browser(tmp_path_factory.mktemp("browser"), recording) as found:
        yield found


def words_in(heard):
    """The text of each utterance that a session finds in pieces of audio."""
    session = Session(reference_model(0, 2, 1), RULE)
    events = [event for piece in heard for event in session.accept(piece)] + session.finish()
    return [e.text for e in events if isinstance(e, Transcript) and e.kind == "final"]


def words_on(tab, number):
    """The text of each utterance that the page shows of a session."""
    lines = f"[...document.querySelectorAll('[id^=utterance-{number}-]')].map(p => p.textContent)"
    return [" ".join(line.split()) for line in tab.run(lines)]


def hear(heard, seconds):
    end = time.monotonic() + PATIENCE_S
    while sum(map(len, heard)) < seconds * 16000:
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.long
def test_microphone_to_words(tab, monkeypatch):
    heard, decode = [], messages.samples_of
    monkeypatch.setattr(messages, "samples_of", lambda m: heard.append(decode(m)) or heard[-1])
    with running() as (address, server):
        open_page(tab, address)
        tab.run("document.querySelector('#listen').click()")
        tab.wait_for("document.querySelector('#state').textContent === 'listening'")
        tab.wait_for("!!document.querySelector('#words .open:not(:empty)')")  # partial words
        tab.wait_for("!!document.querySelector('#words p[data-type=final]')")
        hear(heard, 4)
        tab.run("document.querySelector('#listen').click()")
        tab.wait_for("document.querySelector('#state').textContent === 'off'")
        assert tab.run("document.querySelector('#notice').textContent") == ""
        assert tab.run("document.querySelectorAll('#words p:not([data-type=final])').length") == 0
        assert server.streams == 0
        assert words_on(tab, 0) == words_in(heard)
        audio, last = np.concatenate(heard), heard[-1]
        assert {len(piece) for piece in heard[:-1]} == {1600}
        heard.clear()
        tab.run("document.querySelector('#listen').click()")
        hear(heard, 2)
        assert tab.run("document.querySelector('header').getBoundingClientRect().top") >= 0
        # What a browser does when the device has gone.
        tab.run("session.microphone.stream.getAudioTracks()[0].dispatchEvent(new Event('ended'))")
        tab.wait_for("document.querySelector('#state').textContent === 'off'")
        notice = tab.run("document.querySelector('#notice').textContent")
        assert notice == "the microphone has gone"
        assert words_on(tab, 1) == words_in(heard)
        # The last piece is as long as what there was; both as long as others would be odd.
        assert min(len(last), len(heard[-1])) < 1600
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio)))) ** 2
    frequencies = np.fft.rfftfreq(len(audio), 1 / 16000)
    near = np.abs(frequencies - TONE_HZ) < 20
    assert spectrum[near].sum() > 0.8 * spectrum[frequencies > 50].sum()  # at its place and clean
    assert 0.1 < np.abs(audio).max() < 0.5


def open_page(tab, address):
    tab.open(address.replace("ws:", "http:").replace("/stream", "/"))
    tab.wait_for("!!document.querySelector('#listen')")


def test_what_the_page_says(tab):
    """What the model is; that the server is full; notices, until there are words."""
    with running(Limits(max_streams=1, wait_s=0.2), about="what it <b>is</b>") as (address, _):
        open_page(tab, address)
        tab.wait_for("document.querySelector('#about').textContent === 'what it <b>is</b>'")
        with client(address):
            tab.run("document.querySelector('#listen').click()")
            tab.wait_for("document.querySelector('#state').textContent === 'off'")
            notice = tab.run("document.querySelector('#notice').textContent")
            assert notice == "all 1 streams are in use: try later"
        show = "show({type: '%s', utterance: %d, stable: 0, words: [%s]}, 9)"
        tab.run("notice('too loud', 'clipping')")
        tab.run(show % ("partial", 0, "{text: 'WORD'}"))
        assert tab.run("document.querySelector('#notice').textContent") == "too loud"
        tab.run("notice('nothing but silence', 'silence')")
        for number in range(40):  # more than the window holds
            tab.run(show % ("partial", number, "{text: 'WORD'}"))
        assert tab.run("document.querySelector('#notice').textContent") == ""
        place = "document.querySelector('%s').getBoundingClientRect()"
        assert tab.run(place % "#utterance-9-39" + ".bottom <= innerHeight")
        assert tab.run(place % "#listen" + ".top >= 0")
        assert tab.run(place % "#utterance-9-0" + ".bottom < 0")
        tab.run("scrollTo(0, 0)")  # to read
        tab.run(show % ("partial", 40, "{text: 'WORD'}"))
        assert tab.run("scrollY") == 0
        tab.run(show % ("final", 40, ""))  # no words after all
        assert tab.run("document.querySelector('#utterance-9-40')") is None
        tab.run("session = {ending: true}; say('finishing')")
        assert tab.run("document.querySelector('#listen').disabled")


@pytest.mark.long
def test_a_voice(an4_audio, tmp_path):
    """The shipped model, a recording of AN4: the page ends with the words of a session."""
    path = tmp_path / "live.tflite"
    path.write_bytes(convert_recogniser(Recogniser.load(REPOSITORY / "models/an4_live_float")))
    model, room = load_model(path), np.zeros(16000, np.float32)
    audio = np.concatenate([room, an4_audio[0], room, room])
    soundfile.write(tmp_path / "voice.wav", audio, 16000)
    expected = max((e.text for e in events_alone(model, audio, 1920) if e.kind == "final"), key=len)
    assert len(expected.split()) > 1
    with running(model=model, rule=EndpointConfig()) as (address, _):
        with browser(tmp_path, tmp_path / "voice.wav") as tab:
            open_page(tab, address)
            tab.run("document.querySelector('#listen').click()")
            said = "[...document.querySelectorAll('#words p[data-type=final]')]"
            tab.wait_for(f"{said}.some(p => p.textContent.trim() === '{expected}')")
            tab.run("document.querySelector('#listen').click()")
            tab.wait_for("document.querySelector('#state').textContent === 'off'")


def test_no_microphone_says_so(tab):
    with running() as (address, _):
        open_page(tab, address)
        tab.run(
            "navigator.mediaDevices.getUserMedia = async () => { throw new Error('not found') }"
        )
        tab.run("document.querySelector('#listen').click()")
        tab.wait_for("document.querySelector('#notice').textContent === 'not found'")
        assert tab.run("document.querySelector('#listen').textContent") == "Listen"
