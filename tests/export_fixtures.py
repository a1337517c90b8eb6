"""A tiny recogniser with random weights, its `.tflite` files and recordings for them."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from tensorflow import keras

from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.model_config import ModelConfig
from asr_qat.models.model_directory import Recogniser, build_float
from asr_qat.quantize.apply import QuantizationConfig, quantize_model, quantized_layers
from asr_qat.text.tokenizer import Tokenizer
from tests.conftest import WORD_HZ, made_once

ENCODER = EncoderConfig(1, dim=16, heads=2, feed_forward=32, kernel=5, subsampling=8)
MEL_BINS = 80
SECONDS = (1.0, 2.0)  # of the two signatures
FRAMES = (98, 198)  # of the same
DENSE_LAYERS = 14
OVERRIDES = {"ctc_output": "float", "^block_00_attention_": "w8a8"}


def randomize_vectors(recogniser: Recogniser, seed: int = 0) -> None:
    """Biases and gains that a converter cannot leave out: initial ones are zero and one."""
    rng = np.random.default_rng(seed)
    for variable in recogniser.model.trainable_variables:
        if variable.shape.rank == 1:
            variable.assign_add(rng.normal(0, 0.1, variable.shape).astype(np.float32))


def quantized(recogniser: Recogniser, quantization: QuantizationConfig) -> Recogniser:
    """A copy with the same weights, as quantized training begins."""
    return dataclasses.replace(
        recogniser,
        config=dataclasses.replace(recogniser.config, quantization=quantization),
        model=quantize_model(recogniser.model, quantization),
    )


def rounded_model(recogniser: Recogniser) -> keras.Model:
    """The plain model with the values that the weights of a quantized recogniser stand for."""
    plain = build_float(recogniser.config, recogniser.tokenizer.vocab_size)
    trained = quantized_layers(recogniser.model)
    for layer in plain.layers:
        if layer.name in trained:
            kernel, own = trained[layer.name].kernel, trained[layer.name]
            layer.kernel.assign(own.quantizer.rounded(kernel, own.variables))
            if layer.use_bias:
                layer.bias.assign(own.bias)
        else:
            layer.set_weights(recogniser.model.get_layer(layer.name).get_weights())
    return plain


def noise(frames: int, seed: int = 0) -> np.ndarray:
    """Normalised features `[frames, mel_bins]`."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((frames, MEL_BINS)).astype(np.float32)


@pytest.fixture(scope="session")
def float_recogniser() -> Recogniser:
    tokenizer = Tokenizer.train([" ".join(WORD_HZ)], 40, "char")
    mean, std = np.linspace(-8, -6, MEL_BINS), np.linspace(2, 3, MEL_BINS)
    recogniser = Recogniser.create(ModelConfig(ENCODER), tokenizer, mean, std)
    rng = np.random.default_rng(1)  # not Keras' initial weights, which depend on the other tests
    for variable in recogniser.model.trainable_variables:
        if variable.shape.rank > 1:
            deviation = np.prod(variable.shape[:-1]) ** -0.5
            variable.assign(rng.normal(0, deviation, variable.shape).astype(np.float32))
    randomize_vectors(recogniser)
    return recogniser


@pytest.fixture(scope="session")
def model_directory(float_recogniser, shared_folder) -> Path:
    return made_once(shared_folder / "model_directory", float_recogniser.save)


@pytest.fixture(scope="session")
def exported(float_recogniser, shared_folder):
    """The path of the file at a precision, converted when first asked for."""
    from tflite_export.convert.convert import convert_recogniser

    def export(precision: str, seconds: tuple[float, ...] = SECONDS) -> Path:
        return made_once(
            shared_folder / "exported" / f"{precision}_{len(seconds)}.tflite",
            lambda path: path.write_bytes(convert_recogniser(float_recogniser, precision, seconds)),
        )

    return export


@pytest.fixture(scope="session")
def mixed_recogniser(float_recogniser) -> Recogniser:
    """At w4a8, but for `OVERRIDES`."""
    return quantized(float_recogniser, QuantizationConfig("w4a8", overrides=OVERRIDES))


@pytest.fixture(scope="session")
def mixed_file(mixed_recogniser, shared_folder) -> Path:
    from tflite_export.convert.convert import convert_recogniser

    return made_once(
        shared_folder / "mixed.tflite",
        lambda path: path.write_bytes(convert_recogniser(mixed_recogniser, seconds=SECONDS[:1])),
    )


@pytest.fixture(scope="session")
def manifest(synthetic_corpus, tmp_path_factory) -> Path:
    """The test split of the synthetic corpus as a manifest."""
    path = tmp_path_factory.mktemp("manifest") / "test.jsonl"
    lines = [
        {"id": audio.stem, "audio_filepath": str(audio), "text": words.read_text().strip()}
        for words in sorted((synthetic_corpus / "test").glob("*.txt"))
        for audio in [words.with_suffix(".wav")]
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def tflite_export(monkeypatch, capfd):
    """Run the command with these words: exit code, standard output, standard error."""
    from tflite_export import cli

    def run(*words) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["tflite-export", *map(str, words)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        out, err = capfd.readouterr()
        code = stopped.value.code
        assert isinstance(code, int)
        return code, out, err

    return run
