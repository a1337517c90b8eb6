"""Small `.tflite` files that understand `tests.conftest.utterance`; see `tests.make_tones`."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.conftest import SAMPLE_RATE, utterance

DATA = Path(__file__).parent / "data"
KINDS = ("ctc", "transducer", "live")
TEXT = "TWO FIVE ONE"


def tones_file(kind: str) -> Path:
    return DATA / f"tones_{kind}.tflite"


@pytest.fixture(scope="session")
def tones() -> np.ndarray:
    """`TEXT`, float32 `[samples]`."""
    return utterance(TEXT.split(), 3)


@pytest.fixture(scope="session")
def tones_recording(tones, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("tones") / "tones.wav"
    soundfile.write(path, tones, SAMPLE_RATE)
    return path
