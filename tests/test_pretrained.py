"""Imported networks compute what NeMo and transformers compute."""

import functools
import hashlib
import shutil
from collections.abc import Callable

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file, save_file
from tensorflow import keras

from asr_qat import files
from asr_qat.audio.front_end import NEMO_FRONT_END, log_mel, normalize, subsampled_length
from asr_qat.compat import layer_output
from asr_qat.decoding.recognition import recognise_ctc
from asr_qat.models.layer_names import CTC_HEAD, FIRST, JOINT_OUTPUT
from asr_qat.models.model_directory import Recogniser
from asr_qat.models.transducer_functions import TransducerFunctions
from asr_qat.pretrained.import_checkpoint import import_checkpoint
from asr_qat.source import Source
from asr_qat.text.tokenizer import Tokenizer
from asr_qat.training.quantized import post_training
from tests.conftest import long_case
from tests.pretrained_fixtures import DATA, checkpoint, refusal, run
from tests.torch_archive import members, plain
from tflite_export.convert.convert import convert_recogniser
from tflite_export.runtime.recogniser import TFLiteRecogniser

TOLERANCE = 1e-4
CTC = [("ctc", None), ("fastconformer-ctc", None), ("local-ctc", None), ("hybrid", "ctc")]
TRANSDUCERS = ["rnnt", "tdt", "hybrid", "hf_tdt"]


@pytest.fixture(scope="module")
def imported(tmp_path_factory) -> Callable[..., tuple[Recogniser, dict]]:
    """The recogniser of a checkpoint's model directory, and what its library computed."""
    folder = tmp_path_factory.mktemp("imported")

    @functools.cache
    def recogniser(name: str, head: str | None) -> tuple[Recogniser, dict]:
        path = folder / f"{name}_{head}"
        import_checkpoint(checkpoint(name), path, head, quiet=True)
        return Recogniser.load(path), dict(np.load(DATA / f"{name}.npz"))

    return recogniser


def inputs(reference: dict) -> list:
    return [reference["features"], reference["lengths"].astype(np.int32)]


def assert_same(found: np.ndarray, expected: np.ndarray, reference: dict, halvings: int) -> None:
    """Both rows of the batch, the second one padded, as far as their own lengths reach."""
    frames = subsampled_length(reference["lengths"], halvings)
    if "frames" in reference:
        np.testing.assert_array_equal(frames, reference["frames"])
    assert frames[0] > frames[1] > 1
    for row, count in enumerate(frames):
        np.testing.assert_allclose(
            found[row, :count], expected[row, :count], rtol=0, atol=TOLERANCE
        )
        assert np.std(expected[row, :count]) > 0.1


@pytest.mark.parametrize(
    ("name", "head"), [*CTC[:2], *(long_case(*case) for case in CTC[2:]), ("hf_ctc", None)]
)
def test_ctc_logits(imported, name, head):
    recogniser, reference = imported(name, head)
    logits = recogniser.model(inputs(reference)).numpy()
    assert_same(logits, reference["ctc"], reference, recogniser.config.encoder.halvings)


@pytest.mark.parametrize("name", ["rnnt", "tdt", *map(long_case, TRANSDUCERS[2:])])
def test_transducer_logits(imported, name):
    """Of each frame after each of the labels, durations too."""
    recogniser, reference = imported(name, None)
    functions = TransducerFunctions(recogniser.model)
    encoded = functions.encode(inputs(reference))
    state = [tf.zeros((2, units)) for _, units in functions.states]
    labels = np.pad(reference["labels"], ((0, 0), (1, 0)), constant_values=functions.blank)
    steps = []
    for label in labels.astype(np.int32).T:
        predicted, *state = functions.predict([label[:, None], *state])
        steps.append(predicted)
    joint = recogniser.model.get_layer(JOINT_OUTPUT)([encoded, tf.concat(steps, axis=1)]).numpy()
    halvings = recogniser.config.encoder.halvings
    assert_same(joint, reference["joint"], reference, halvings)
    timed = name in ("tdt", "hybrid", "hf_tdt")
    assert recogniser.config.transducer.durations == ((0, 1, 2, 3, 4) if timed else ())
    if name == "hybrid":  # its CTC head stays for training
        head = layer_output(recogniser.model, CTC_HEAD[FIRST])
        model = keras.Model(recogniser.model.inputs[:2], head)
        assert_same(model(inputs(reference)).numpy(), reference["ctc"], reference, halvings)


@pytest.mark.parametrize("name", ["ctc", "hf_ctc"])
def test_features(imported, name):
    recogniser, reference = imported(name, None)
    config = recogniser.config.front_end
    assert config == NEMO_FRONT_END
    for row, samples in enumerate(reference["samples"]):
        audio = reference["audio"][row, :samples].astype(np.float32) / 32768
        frames = reference["lengths"][row]
        assert config.frames(samples) == frames
        found = normalize(log_mel(audio, config), config, recogniser.mean, recogniser.std)
        expected = reference["features"][row, :frames]
        np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


def test_word_pieces_of_a_tokenizer_json(imported):
    recogniser, reference = imported("hf_ctc", None)
    (nemo,) = (m for n, m in members(checkpoint("ctc")).items() if n.endswith("tokenizer.model"))
    assert recogniser.tokenizer.pieces() == Tokenizer.from_bytes(nemo).pieces()
    text, ids = str(reference["text"]), reference["ids"].tolist()
    assert recogniser.tokenizer.encode(text) == ids
    assert recogniser.tokenizer.decode(ids) == " ".join(text.split())


def test_the_source_is_on_record(tmp_path):
    """From the command line, with attribution, and as long as the model lives."""
    path = checkpoint("ctc")
    words = ["--licence", "CC-BY-4.0", "--attribution", "NVIDIA"]
    assert run("import", path, "--out", tmp_path / "model", "--quiet", *words) == (0, "")
    expected = Source(
        name="ctc",
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        library="nemo",
        version="3.0.0",
        licence="CC-BY-4.0",
        attribution="NVIDIA",
    )
    recogniser = Recogniser.load(tmp_path / "model")
    assert recogniser.config.source == expected
    assert post_training(recogniser, "w4a8").config.source == expected
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model"]


def test_the_licence_of_a_readme(tmp_path):
    folder = shutil.copytree(checkpoint("hf_ctc"), tmp_path / "parakeet")
    (folder / "README.md").write_text("---\nlicense: cc-by-4.0\ntags: [asr]\n---\n# Model\n")
    import_checkpoint(folder, tmp_path / "model", quiet=True)
    source = Recogniser.load(tmp_path / "model").config.source
    assert (source.name, source.library, source.version) == ("parakeet", "transformers", "5.24.0")
    assert source.licence == "cc-by-4.0"


def test_a_folder_of_several_files(imported, tmp_path):
    """As transformers splits large networks, here by hand; the weights as bfloat16."""
    whole, split = checkpoint("hf_ctc"), tmp_path / "split"
    shutil.copytree(whole, split, ignore=shutil.ignore_patterns("*.safetensors"))
    tensors = load_file(whole / "model.safetensors")
    names, index = sorted(tensors), {}
    for number, part in enumerate((names[::2], names[1::2])):
        file = f"model-{number}.safetensors"
        chosen = {
            n: tensors[n].astype(ml_dtypes.bfloat16) if tensors[n].ndim > 1 else tensors[n]
            for n in part
        }
        save_file(chosen, split / file)
        index |= dict.fromkeys(part, file)
    files.write_json(split / "model.safetensors.index.json", {"weight_map": index})
    import_checkpoint(split, tmp_path / "halves", quiet=True)
    expected = imported("hf_ctc", None)[0].model.get_weights()
    found = Recogniser.load(tmp_path / "halves").model.get_weights()
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2**-7, atol=2**-7 * np.abs(theirs).max())
    (split / "model-1.safetensors").unlink()
    assert "model-1.safetensors: is missing" in refusal(split, tmp_path)


def test_a_plain_archive(imported, tmp_path):
    """As NeMo writes now; the weights stay in it while they are read."""
    path = plain(checkpoint("ctc"), tmp_path / "plain.nemo")
    import_checkpoint(path, tmp_path / "model", quiet=True)
    ours, theirs = Recogniser.load(tmp_path / "model"), imported("ctc", None)[0]
    assert ours.tokenizer.pieces() == theirs.tokenizer.pieces()
    np.testing.assert_array_equal(ours.mean, theirs.mean)
    np.testing.assert_array_equal(ours.std, theirs.std)
    for one, other in zip(ours.model.get_weights(), theirs.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_file_of_an_imported_network(imported, tmp_path):
    """Import, convert, transcribe: the float file computes the logits, the 4-bit one runs."""
    recogniser, reference = imported("fastconformer-ctc", None)
    count = int(reference["lengths"][1])
    features = reference["features"][1, :count]
    (tmp_path / "float.tflite").write_bytes(convert_recogniser(recogniser, None, (0.5,)))
    device = TFLiteRecogniser(tmp_path / "float.tflite")
    assert device.metadata.subsampling_factor == 8
    expected = reference["ctc"][1, : reference["frames"][1]]
    np.testing.assert_allclose(device.encode(features), expected, rtol=0, atol=TOLERANCE)
    (tmp_path / "w4a8.tflite").write_bytes(convert_recogniser(recogniser, "w4a8", (0.5,)))
    small = TFLiteRecogniser(tmp_path / "w4a8.tflite")
    quantized = post_training(recogniser, "w4a8")
    ours = quantized.model([features[None], np.array([count], np.int32)]).numpy()[0]
    np.testing.assert_allclose(small.encode(features), ours, rtol=0, atol=1e-3)
    audio = reference["audio"][0].astype(np.float32) / 32768
    assert isinstance(small.transcribe(np.concatenate([audio] * 3)), str)  # in windows


# What NeMo's own greedy search finds in the five recordings of `an4_audio`, an406-fcaw-b,
# an426-fvap-b, an401-mdms2-b, an396-miry-b and an391-mjwl-b: `nemo_transcribe.py
# tests/data/nemo/conformer_ctc.nemo MANIFEST --out texts.json` of `experiments/pretrained`.
NEMO_TEXTS = [
    "rubout g n e s three nine",
    "enter eight",
    "enter seven one five four",
    "erase a e f q fifty seven",
    "enter nine one",
]


@pytest.mark.slow
def test_texts_of_a_trained_network(an4_audio, tmp_path):
    """A small Conformer that NeMo trained on AN4 hears here, mistakes and all, what it hears."""
    path = DATA.parent / "nemo" / "conformer_ctc.nemo"
    import_checkpoint(path, tmp_path / "model", quiet=True)
    recogniser = Recogniser.load(tmp_path / "model")
    config, texts = recogniser.config.front_end, []
    for audio in an4_audio:
        features = normalize(log_mel(audio, config), config, recogniser.mean, recogniser.std)
        logits = recogniser.model([features[None], np.array([len(features)], np.int32)])
        texts.append(recogniser.tokenizer.decode(recognise_ctc(logits.numpy()[0]).tokens))
    assert texts == NEMO_TEXTS
    seconds = max(map(len, an4_audio)) / config.sample_rate
    (tmp_path / "float.tflite").write_bytes(convert_recogniser(recogniser, None, (seconds,)))
    device = TFLiteRecogniser(tmp_path / "float.tflite")
    assert [device.transcribe(audio) for audio in an4_audio] == NEMO_TEXTS
