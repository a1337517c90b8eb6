"""The page in Chromium beside Python: features, labels, transcripts, the microphone, no network."""

import numpy as np
import pytest
import soundfile

from asr_qat.audio.front_end import (
    LEVELLED_FRONT_END,
    NEMO_FRONT_END,
    FrontEndConfig,
    log_mel,
)
from asr_qat.errors import UserError
from asr_qat.models.model_directory import Recogniser
from experiments.browser.chromium import browser, chromium
from experiments.browser.measure import feature_error, in_python
from experiments.browser.modules import opened
from experiments.live.undisturbed_session import events_alone, final_text
from tests.training_fixtures import REPOSITORY
from tflite_export.browser.litertjs import litertjs_files
from tflite_export.browser.page import write_page
from tflite_export.browser.server import serving
from tflite_export.convert.convert import convert_recogniser
from tflite_export.runtime.live.live_model import load_model
from tflite_export.runtime.recogniser import TFLiteRecogniser

pytest_plugins = ["tests.live_file"]
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not chromium(), reason="no chromium on this machine"),
]
PIECE = 1920  # samples, 120 ms
OFF = "document.querySelector('#state').textContent === 'off'"


@pytest.fixture(scope="module", autouse=True)
def runtime():
    try:
        litertjs_files()
    except UserError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def voice(tmp_path_factory):
    """The shipped live model in 4 and 8 bits."""
    path = tmp_path_factory.mktemp("voice") / "live.tflite"
    source = Recogniser.load(REPOSITORY / "models/an4_live_float")
    path.write_bytes(convert_recogniser(source, "mixed_4_8"))
    return path


@pytest.fixture(scope="module")
def modules(voice, tmp_path_factory):
    """The page's modules with the model loaded."""
    folder = tmp_path_factory.mktemp("page")
    write_page(voice, folder)
    with opened(folder) as found:
        found.load()
        yield found


@pytest.mark.parametrize(
    "config",
    [
        FrontEndConfig(),
        FrontEndConfig(sample_rate=8000, mel_bins=40, high_hz=4000.0, hop_ms=12.5),
        LEVELLED_FRONT_END,
        NEMO_FRONT_END,
    ],
    ids=("plain", "telephone", "levelled", "nemo"),
)
def test_front_ends(modules, an4_audio, config):
    for audio in (*an4_audio[:2], an4_audio[0][:300], 1e-3 * an4_audio[1]):
        found, expected = modules.log_mel(audio, config), log_mel(audio, config)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_what_is_heard_and_shown(modules, voice, an4_audio):
    """Labels with their frames, and every transcript on the way, in pieces of several sizes."""
    model = load_model(voice)
    assert feature_error(modules, model, an4_audio, 777) < 1e-4
    for audio, size in zip(an4_audio, (PIECE, PIECE, 640, 5000, 99), strict=True):
        ours, theirs = in_python(model, audio, size), modules.recognise(audio, size)
        assert ours.second and (ours.first, ours.second) == (theirs.first, theirs.second)
        assert ours.shown == theirs.shown


def test_an_encoder_that_looks_ahead(live_file, live_model, tmp_path):
    """A file whose first pass waits, too, and endpoints inside of a step."""
    write_page(live_file, tmp_path)
    rng = np.random.default_rng(0)
    with opened(tmp_path) as found:
        found.load()
        for size in (PIECE, 640, 3000):
            audio = (0.1 * rng.standard_normal(30000)).astype(np.float32)
            ours, theirs = in_python(live_model, audio, size), found.recognise(audio, size)
            assert ours.first and (ours.first, ours.second) == (theirs.first, theirs.second)


@pytest.mark.parametrize("name", ["an4_tiny_float", "an4_tiny_transducer_float"])
def test_whole_utterances(name, an4_audio, tmp_path):
    """CTC and transducer, and a recording that is longer than the longest signature."""
    path = tmp_path / "whole.tflite"
    source = Recogniser.load(REPOSITORY / "models" / name)
    path.write_bytes(convert_recogniser(source, "w4a8", (2.0, 4.0)))
    device = TFLiteRecogniser(path)
    with opened(write_page(path, tmp_path / "page").folder) as found:
        found.load()
        for audio in (an4_audio[0], an4_audio[0][:6000], np.concatenate(an4_audio[:3])):
            assert found.tokens(audio) == device.tokens(device.features(audio))
        assert found.tokens(an4_audio[0])
        assert found.tokens(an4_audio[0][:100]) == []


def test_two_bits(an4_audio, tmp_path):
    """Widened on the way: LiteRT.js finds what it finds in the file as it is."""
    path = tmp_path / "narrow.tflite"
    source = Recogniser.load(REPOSITORY / "models/an4_live_float")
    path.write_bytes(convert_recogniser(source, "two_bit"))
    page = write_page(path, tmp_path / "page")
    assert page.widened and page.sizes["model.tflite"] > path.stat().st_size
    seen = []
    for content in (None, path.read_bytes()):
        if content:
            (page.folder / "model.tflite").write_bytes(content)
        with opened(page.folder) as found:
            found.load()
            one = found.recognise(an4_audio[0], PIECE)
            seen.append((one.first, one.second, one.shown))
    assert seen[0] == seen[1] and seen[0][0]


def test_the_microphone_without_a_network(voice, an4_audio, tmp_path):
    """Read once, then without the server: the page opens again and hears the recording."""
    room = np.zeros(16000, np.float32)
    audio = np.concatenate([room, an4_audio[0], room, room])
    soundfile.write(tmp_path / "voice.wav", audio, 16000)
    finals = [e.text for e in events_alone(load_model(voice), audio, PIECE) if e.kind == "final"]
    expected = max(finals, key=len)
    assert len(expected.split()) > 1
    write_page(voice, tmp_path / "page")
    with browser(tmp_path, tmp_path / "voice.wav") as tab:
        with serving(tmp_path / "page") as address:
            tab.open(address)
            tab.wait_for(OFF)
            assert tab.run("crossOriginIsolated")
        tab.open(address)
        tab.wait_for(OFF)
        assert tab.run("document.querySelector('#notice').textContent") == ""
        tab.run("document.querySelector('#listen').click()")
        said = "[...document.querySelectorAll('#words p[data-type=final]')]"
        tab.wait_for(f"{said}.some(p => p.textContent.trim() === '{expected}')")
        tab.run("document.querySelector('#listen').click()")
        tab.wait_for(OFF)


def test_a_recording_on_the_page(voice, an4_audio, tmp_path):
    """A file that the user chooses is recognised."""
    write_page(voice, tmp_path / "page")
    soundfile.write(tmp_path / "page" / "said.wav", an4_audio[0], 16000)
    with serving(tmp_path / "page") as address, browser(tmp_path) as tab:
        tab.open(address)
        tab.wait_for(OFF)
        tab.run(
            "fetch('said.wav').then((answer) => answer.blob()).then((blob) => {"
            "const chosen = new DataTransfer();"
            "chosen.items.add(new File([blob], 'said.wav'));"
            "const input = document.querySelector('#recording');"
            "input.files = chosen.files;"
            "input.dispatchEvent(new Event('change')); })"
        )
        tab.wait_for("!!document.querySelector('#words p[data-type=final]')")
        tab.wait_for(OFF)
        said = tab.run("document.querySelector('#words').textContent").split()
        assert said == final_text(events_alone(load_model(voice), an4_audio[0], 16000)).split()
