"""Keras 3 in the environment: what needs Keras 2 says so, the rest works."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from asr_qat.legacy_keras import VARIABLE, require_keras_2

REPOSITORY = Path(__file__).parent.parent
CHOSEN = "needs Keras 2, but TF_USE_LEGACY_KERAS is 0: set it to 1, or unset it"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["asr_qat.cli", "train", "--config", "configs/an4_tiny_float.yaml"], CHOSEN),
        (["tflite_export.cli", "convert", "models/an4_tiny_float", "-o", "x.tflite"], CHOSEN),
        (["tflite_export.cli", "inspect", "x.tflite"], "x.tflite: no such file"),
        (["tflite_export.cli", "transcribe", "x.tflite", "x.wav"], "x.tflite: no such file"),
    ],
)
def test_commands(words, line):
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=REPOSITORY,
        env={**os.environ, "TF_USE_LEGACY_KERAS": "0"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    said = done.stderr.splitlines()[-1]  # converting loads TensorFlow, which talks
    assert said.endswith(f": error: {line}")
    assert "Traceback" not in done.stderr


def test_keras_3_that_is_loaded_already():
    require_keras_2()
    program = "import tensorflow as tf; tf.keras.layers; import asr_qat.layers"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env={name: value for name, value in os.environ.items() if name != VARIABLE},
        capture_output=True,
        text=True,
    )
    assert "UserError: needs Keras 2, but Keras 3 is loaded" in done.stderr
