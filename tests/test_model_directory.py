"""Model directories: what is in them, and what is said of damage."""

import dataclasses
import json
import re
import shutil

import h5py
import numpy as np
import pytest
import tensorflow as tf

from asr_qat import files
from asr_qat.audio.front_end import NEMO_FRONT_END
from asr_qat.corpora.data_config import DataConfig
from asr_qat.corpora.dataset import Pipeline
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.errors import UserError
from asr_qat.folder_sums import SUMS
from asr_qat.losses.ctc import CTCLoss
from asr_qat.losses.targets import pack_targets
from asr_qat.models.model_config import ModelConfig
from asr_qat.models.model_directory import Recogniser, weights_checksum
from asr_qat.models.prediction import TransducerConfig
from asr_qat.models.streaming_config import StreamingConfig
from asr_qat.quantize.apply import QuantizationConfig
from asr_qat.training.config import TrainConfig
from asr_qat.training.start import first_recogniser
from tests.training_fixtures import ENCODER, REPOSITORY

pytest_plugins = ["tests.training_fixtures"]

TRANSDUCER = TransducerConfig(embedding=4, units=4, joint=4)


@pytest.mark.parametrize("quantization", [None, QuantizationConfig("w4a8", start_step=3)])
def test_a_directory_holds_the_weights_and_no_optimizer(
    float_run, prepared_folder, tmp_path, quantization
):
    folder = PreparedFolder(prepared_folder)
    config = ModelConfig(ENCODER, folder.stats.front_end, quantization)
    saved = Recogniser.create(config, folder.tokenizer, folder.stats.mean, folder.stats.std)
    features = np.random.default_rng(0).standard_normal((2, 40, 80)).astype(np.float32)
    inputs = (tf.constant(features), tf.constant([40, 30]))
    targets = pack_targets(inputs[1], tf.constant([[1, 2], [3, 4]]))
    saved.model.compile("adam", CTCLoss())
    saved.model.fit(tf.data.Dataset.from_tensors((inputs, targets)).repeat(4), verbose=0)
    saved.save(tmp_path / "model")
    loaded = Recogniser.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.model(inputs), saved.model(inputs))
    np.testing.assert_array_equal(loaded.mean, saved.mean)
    assert loaded.mean.dtype == loaded.std.dtype == np.float32
    with h5py.File(tmp_path / "model/model.weights.h5") as file:
        assert "layers" in file
        assert "optimizer" not in file


def test_a_training_hears_as_the_model_that_it_starts_from(prepared_folder, tmp_path):
    folder = PreparedFolder(prepared_folder)
    config = ModelConfig(ENCODER, NEMO_FRONT_END)
    path = str(tmp_path / "model")
    Recogniser.create(config, folder.tokenizer, np.zeros(80), np.ones(80)).save(path)
    started = first_recogniser(TrainConfig(str(folder.path), "out", 1, start=path), folder)
    assert started.config == config
    pipeline = Pipeline(folder, DataConfig(batch_size=1), 0, started.stats_for(folder))
    ((features, _), _) = next(iter(pipeline.evaluation("dev")))
    np.testing.assert_allclose(tf.reduce_mean(features, axis=1), np.zeros((1, 80)), atol=1e-4)


def test_a_live_model_hears_no_whole_utterance():
    streaming = StreamingConfig(1, left_context=2)
    with pytest.raises(UserError, match="a live model hears audio in pieces"):
        ModelConfig(ENCODER, NEMO_FRONT_END, None, TRANSDUCER, streaming)
    fine = dataclasses.replace(NEMO_FRONT_END, normalization="corpus", centred=False, preemphasis=0)
    ModelConfig(ENCODER, fine, None, TRANSDUCER, streaming)


def test_a_model_directory_without_a_file(float_run, tmp_path):
    config, _ = float_run
    for name in ("tokenizer.model", "stats.json", "config.json", "model.weights.h5"):
        folder = tmp_path / name
        shutil.copytree(config.output, folder)
        (folder / name).unlink()
        with pytest.raises(UserError, match=f"no {re.escape(name)}"):
            Recogniser.load(folder)
        with pytest.raises(UserError, match=f"no {re.escape(name)}"):
            weights_checksum(folder)
    for read in (Recogniser.load, weights_checksum):
        with pytest.raises(UserError, match="none: no such model directory"):
            read(tmp_path / "none")


def test_weights_of_another_vocabulary(float_run, tmp_path):
    from asr_qat.text.tokenizer import Tokenizer

    config, _ = float_run
    shutil.copytree(config.output, tmp_path / "model")
    Tokenizer.train(["AB", "CD"], 10, "char").save(tmp_path / "model/tokenizer.model")
    (tmp_path / "model" / SUMS).unlink()
    with pytest.raises(UserError, match="another configuration or vocabulary") as caught:
        Recogniser.load(tmp_path / "model")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("part", "values", "complaint"),
    [
        (
            "encoder",
            {"blocks": 2},
            "weights.h5: damaged, or made for another .*52 layers, not [0-9]+",
        ),
        ("encoder", {"blocks": 900}, "weights.h5: .* not 18,000 and "),
        ("encoder", {"dim": 20000}, "and at most [0-9,]+ weights, not 20 and 2,8"),
        ("encoder", {"subsampling": 16000}, "weights.h5: damaged, or made for another"),
        (
            "front_end",
            {"mel_bins": 81},
            "stats.json: damaged: mean: 80 numbers, the front",
        ),
        (
            "encoder",
            {"dim": "16"},
            "config.json: encoder: dim: expected a whole number",
        ),
        ("encoder", {"blocks": 10**6}, "config.json: encoder: blocks: 1000000 is more than 1,024"),
    ],
)
def test_a_configuration_that_the_weights_do_not_fit(float_run, tmp_path, part, values, complaint):
    """Refused before a model is built that takes gigabytes, or minutes."""
    shutil.copytree(float_run[0].output, tmp_path / "model")
    path = tmp_path / "model/config.json"
    content = json.loads(path.read_text())
    content[part].update(values)
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match="config.json: damaged .not as SHA256SUMS has it"):
        Recogniser.load(tmp_path / "model")
    (tmp_path / "model" / SUMS).unlink()
    with pytest.raises(UserError, match=complaint):
        Recogniser.load(tmp_path / "model")


def test_weights_of_further_layers(float_run, tmp_path):
    """Keras would leave them out without a word."""
    _, small = float_run
    shape = dataclasses.replace(small.config, encoder=dataclasses.replace(ENCODER, blocks=2))
    Recogniser.create(shape, small.tokenizer, small.mean, small.std).save(tmp_path / "model")
    (tmp_path / "model" / SUMS).unlink()
    files.write_json(tmp_path / "model/config.json", small.config.to_json())
    with pytest.raises(UserError, match="damaged, or made for another .*layers, not 52"):
        Recogniser.load(tmp_path / "model")


def test_an_array_of_terabytes(float_run, tmp_path):
    shutil.copytree(float_run[0].output, tmp_path / "model")
    (tmp_path / "model" / SUMS).unlink()
    path = tmp_path / "model/model.weights.h5"
    with h5py.File(path, "r+") as file:
        del file["vars"]
        file.create_dataset("vars/0", (1 << 40,), "f4", chunks=(1 << 20,))
    with pytest.raises(UserError, match="vars/0: 4,398,046,511,104 bytes in a file of "):
        Recogniser.load(tmp_path / "model")


@pytest.mark.parametrize("name", ["an4_tiny_float", "an4_tiny_transducer_float", "an4_live_float"])
def test_the_least_size_is_less_than_that_of_real_models(name):
    path = REPOSITORY / "models" / name
    found = Recogniser.load_without_model(path)
    layers, weights = found.config.least_size(found.tokenizer.vocab_size)
    with h5py.File(path / "model.weights.h5") as file:
        assert len(file["layers"]) // 3 < layers < len(file["layers"])
    size = (path / "model.weights.h5").stat().st_size // 4
    assert size // 3 < weights < size


@pytest.mark.parametrize("content", [b"", b"rubbish", None])
def test_damaged_weights(float_run, tmp_path, content):
    config, _ = float_run
    shutil.copytree(config.output, tmp_path / "model")
    path = tmp_path / "model/model.weights.h5"
    path.write_bytes(path.read_bytes()[:5000] if content is None else content)
    with pytest.raises(UserError, match="damaged") as caught:
        Recogniser.load(tmp_path / "model")
    assert str(path) in str(caught.value)
