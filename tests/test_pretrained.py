"""Imported networks compute what NeMo and transformers compute; what cannot be is refused.

The networks of `tests/data/pretrained` have random weights. `experiments/pretrained` made them:
for K in ctc fastconformer-ctc local-ctc hybrid rnnt tdt
`nemo_reference.py K tiny --gzip --seconds 0.5 --out K`, for K in ctc tdt
`hf_reference.py K ctc.nemo --seconds 0.5 --out hf_K`.
"""

import contextlib
import hashlib
import io
import json
import shutil
import sys
import zipfile
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file, save_file
from tensorflow import keras

from asr_qat import cli, files
from asr_qat.audio.front_end import NEMO_FRONT_END, log_mel, normalize, subsampled_length
from asr_qat.compat import layer_output
from asr_qat.decoding.recognition import recognise_ctc
from asr_qat.models.layer_names import CTC_HEAD, FIRST, JOINT_OUTPUT
from asr_qat.models.model_directory import Recogniser
from asr_qat.models.transducer_functions import TransducerFunctions
from asr_qat.pretrained.import_checkpoint import import_checkpoint
from asr_qat.pretrained.torch_checkpoint import TorchCheckpoint
from asr_qat.source import Source
from asr_qat.text.tokenizer import Tokenizer
from asr_qat.training.quantized import post_training
from tests.torch_archive import CONFIG, WEIGHTS, members, of_floats, plain, rewritten
from tflite_export.convert.convert import convert_recogniser
from tflite_export.runtime.recogniser import TFLiteRecogniser

DATA = Path(__file__).parent / "data" / "pretrained"
TOLERANCE = 1e-4
CTC = [("ctc", None), ("fastconformer-ctc", None), ("local-ctc", None), ("hybrid", "ctc")]
TRANSDUCERS = ["rnnt", "tdt", "hybrid", "hf_tdt"]


def checkpoint(name: str) -> Path:
    return DATA / name if name.startswith("hf_") else DATA / f"{name}.nemo"


def imported(name: str, head: str | None, folder: Path) -> tuple[Recogniser, dict]:
    """The recogniser of a checkpoint's model directory, and what its library computed."""
    import_checkpoint(checkpoint(name), folder / "model", head, quiet=True)
    return Recogniser.load(folder / "model"), dict(np.load(DATA / f"{name}.npz"))


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


@pytest.mark.parametrize(("name", "head"), [*CTC, ("hf_ctc", None)])
def test_ctc_logits(name, head, tmp_path):
    recogniser, reference = imported(name, head, tmp_path)
    logits = recogniser.model(inputs(reference)).numpy()
    assert_same(logits, reference["ctc"], reference, recogniser.config.encoder.halvings)


@pytest.mark.parametrize("name", TRANSDUCERS)
def test_transducer_logits(name, tmp_path):
    """Of each frame after each of the labels, durations too."""
    recogniser, reference = imported(name, None, tmp_path)
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
def test_features(name, tmp_path):
    recogniser, reference = imported(name, None, tmp_path)
    config = recogniser.config.front_end
    assert config == NEMO_FRONT_END
    for row, samples in enumerate(reference["samples"]):
        audio = reference["audio"][row, :samples].astype(np.float32) / 32768
        frames = reference["lengths"][row]
        assert config.frames(samples) == frames
        found = normalize(log_mel(audio, config), config, recogniser.mean, recogniser.std)
        expected = reference["features"][row, :frames]
        np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


def test_word_pieces_of_a_tokenizer_json(tmp_path):
    recogniser, reference = imported("hf_ctc", None, tmp_path)
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


def test_a_folder_of_several_files(tmp_path):
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
    import_checkpoint(whole, tmp_path / "float", quiet=True)
    import_checkpoint(split, tmp_path / "halves", quiet=True)
    expected, found = (
        Recogniser.load(tmp_path / name).model.get_weights() for name in ("float", "halves")
    )
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2**-7, atol=2**-7 * np.abs(theirs).max())
    (split / "model-1.safetensors").unlink()
    assert "model-1.safetensors: is missing" in refusal(split, tmp_path)


def test_a_plain_archive(tmp_path):
    """As NeMo writes now; the weights stay in it while they are read."""
    path = plain(checkpoint("ctc"), tmp_path / "plain.nemo")
    import_checkpoint(path, tmp_path / "a", quiet=True)
    import_checkpoint(checkpoint("ctc"), tmp_path / "b", quiet=True)
    for name in ("tokenizer.model", "stats.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    ours, theirs = (Recogniser.load(tmp_path / name).model.get_weights() for name in "ab")
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_file_of_an_imported_network(tmp_path):
    """Import, convert, transcribe: the float file computes the logits, the 4-bit one runs."""
    recogniser, reference = imported("fastconformer-ctc", None, tmp_path)
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


def run(*words) -> tuple[int, str]:
    """Exit code of a command, and what it said on standard error."""
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(io.StringIO()) as said:
        patch.setattr(sys, "argv", ["asr-qat", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    return ended.value.code, said.getvalue()


def refusal(path: Path, folder: Path) -> str:
    """The one line with which a checkpoint is refused; nothing is written."""
    before = sorted(folder.rglob("*"))
    code, said = run("import", path, "--out", folder / "refused", "--quiet")
    assert code == 1
    assert said.startswith("asr-qat: error: ") and said.count("\n") == 1
    assert sorted(folder.rglob("*")) == before
    return said


def changed(name: str, folder: Path, change) -> str:
    """The refusal of an archive with another configuration."""
    return refusal(rewritten(checkpoint(name), folder / "changed.nemo", change), folder)


def weights_of(name: str) -> bytes:
    (found,) = (m for n, m in members(checkpoint(name)).items() if n.endswith(WEIGHTS))
    return found


def test_damaged_archives(tmp_path):
    whole = plain(checkpoint("ctc"), tmp_path / "whole.nemo").read_bytes()
    path = tmp_path / "bad.nemo"
    for content in (whole[: len(whole) // 2], whole[:700], checkpoint("ctc").read_bytes()[:5000]):
        path.write_bytes(content)
        assert "truncated" in refusal(path, tmp_path) or "damaged" in refusal(path, tmp_path)
    for content in (b"", b"no archive at all", b"PK\x03\x04"):
        path.write_bytes(content)
        assert "not a .nemo archive" in refusal(path, tmp_path)
    assert "no such checkpoint" in refusal(tmp_path / "none.nemo", tmp_path)
    for name in (CONFIG, WEIGHTS):
        rewritten(checkpoint("ctc"), path, files={name: None})
        assert f"without {name}" in refusal(path, tmp_path)
    rewritten(checkpoint("ctc"), path, files={WEIGHTS: b"not a zip"})
    assert "not a PyTorch zip checkpoint" in refusal(path, tmp_path)
    for content in (b"a: [1", b"[" * 2000, b"a: 2026-99-99"):
        rewritten(checkpoint("ctc"), path, files={CONFIG: content})
        assert f"{path}: {CONFIG}: not valid YAML" in refusal(path, tmp_path)


def test_a_pickle_that_asks_for_more_than_tensors(tmp_path):
    old = b"ctorch._utils\n_rebuild_tensor_v2\n"
    weights = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(weights_of("ctc"))) as source:
        with zipfile.ZipFile(weights, "w") as target:
            for name in source.namelist():
                content = source.read(name)
                assert (old in content) == name.endswith("data.pkl")
                target.writestr(name, content.replace(old, b"ccollections\nCounter\n"))
    path = tmp_path / "code.nemo"
    rewritten(checkpoint("ctc"), path, files={WEIGHTS: weights.getvalue()})
    assert "asks for collections.Counter" in refusal(path, tmp_path)


@pytest.mark.parametrize(
    ("name", "section", "key", "value"),
    [
        ("ctc", "encoder", "swish_limit", 7),
        ("ctc", "preprocessor", "loudness", 0.5),
        ("ctc", "decoder", "temperature", 2.0),
        ("ctc", "tokenizer", "lower_case", True),
        ("tdt", "joint", "gate", True),
        ("ctc", "encoder", "causal_downsampling", True),
        ("ctc", "encoder", "att_context_style", "chunked_limited"),
        ("ctc", "encoder", "att_context_size", [[70, 13], [70, 6]]),
        ("ctc", "encoder", "conv_context_size", "causal"),
        ("ctc", "encoder", "untie_biases", False),
        ("ctc", "encoder", "subsampling", "vggnet"),
        ("ctc", "encoder", "subsampling_factor", 2),
        ("local-ctc", "encoder", "global_tokens", 1),
        ("ctc", "encoder", "conv_norm_type", "group_norm4"),
        ("ctc", "encoder", "n_layers", "two"),
        ("ctc", "preprocessor", "normalize", "all_features"),
        ("ctc", "preprocessor", "n_fft", 1024),
        ("ctc", "preprocessor", "mel_norm", None),
        ("ctc", "tokenizer", "type", "wpe"),
        ("tdt", "decoder", "blank_as_pad", False),
        ("hybrid", "aux_ctc", "ctc_loss_weight", 1.5),
    ],
)
def test_a_configuration_that_cannot_be_honoured(name, section, key, value, tmp_path):
    """The key is named with its value, whether it is unknown or known."""

    def change(config):
        config[section][key] = value

    said = changed(name, tmp_path, change)
    assert f"{section}: {key}: {value!r}" in said


PREPROCESSOR, MODEL, TOKENIZER = "processor_config.json", "config.json", "tokenizer.json"
TOKEN = {"id": 1, "content": "x", "special": True}


@pytest.mark.parametrize(
    ("name", "file", "key", "value", "complaint"),
    [
        ("ctc", CONFIG, "preprocessor.sample_rate", 0, "sample_rate: 0"),
        ("ctc", CONFIG, "preprocessor.sample_rate", 10**400, "sample_rate: 1000"),
        ("ctc", CONFIG, "preprocessor.window_size", float("nan"), "window_size: nan"),
        ("ctc", CONFIG, "preprocessor.window_size", float("inf"), "window_size: inf"),
        ("ctc", CONFIG, "preprocessor.window_stride", 0.0, "preprocessor: hop_ms: 0.0"),
        ("ctc", CONFIG, "preprocessor.features", 0, "preprocessor: mel_bins: 0"),
        ("ctc", CONFIG, "preprocessor.lowfreq", -1.0, "preprocessor: low_hz: -1.0"),
        ("ctc", CONFIG, "encoder.n_heads", 3, "encoder: heads: 3"),
        ("ctc", CONFIG, "encoder.dropout", 2.0, "encoder: dropout: 2.0"),
        ("ctc", CONFIG, "tokenizer.model_path", "nemo:../x", "without ../x"),
        ("tdt", CONFIG, "decoder.prednet.dropout", 2.0, "dropout: 2.0"),
        ("tdt", CONFIG, "loss.tdt_kwargs.sigma", -1.0, "tdt_kwargs: sigma: -1.0"),
        ("hf_ctc", PREPROCESSOR, "feature_extractor.sampling_rate", 0, "sampling_rate: 0"),
        ("hf_ctc", PREPROCESSOR, "feature_extractor.hop_length", 0, "extractor: hop_ms: 0.0"),
        ("hf_ctc", MODEL, "encoder_config.intermediate_size", 3, "feed_forward: 3"),
        ("hf_ctc", MODEL, "encoder_config.dropout", float("nan"), "config: dropout: nan"),
        ("hf_tdt", MODEL, "durations", [0, 2], "durations: [0, 2]"),
        ("hf_tdt", MODEL, "durations", [0, 1, "x"], "durations: [0, 1, 'x']"),
        ("hf_tdt", MODEL, "decoder_hidden_size", 3, "embedding: 3"),
        ("hf_ctc", TOKENIZER, "model.merges", [3], "model: merges: 3"),
        ("hf_ctc", TOKENIZER, "model.merges", [["a", 3]], "model: merges: ['a', 3]"),
        ("hf_ctc", TOKENIZER, "model.vocab.a", [3], "model: vocab: 'a': [3]"),
        ("hf_ctc", TOKENIZER, "model.unk_token", 3, "model: unk_token: 3"),
        ("hf_ctc", TOKENIZER, "normalizer.normalizers", 4, "normalizer: normalizers: 4"),
        ("hf_ctc", TOKENIZER, "normalizer.normalizers", [4], "normalizer: expected keys"),
        ("hf_ctc", TOKENIZER, "added_tokens", 4, "added_tokens: 4"),
        ("hf_ctc", TOKENIZER, "added_tokens", [4], "added_tokens: expected keys"),
        ("hf_ctc", TOKENIZER, "added_tokens", [TOKEN | {"id": "x"}], "added_tokens: id: 'x'"),
        ("hf_ctc", TOKENIZER, "added_tokens", [TOKEN | {"content": 3}], "content: 3"),
        ("hf_ctc", TOKENIZER, "added_tokens", [TOKEN | {"content": "\ud800"}], "'\\ud800'"),
    ],
)
def test_values_that_cannot_be(name, file, key, value, complaint, tmp_path):
    """One line names the file, once, and the key."""

    def change(content):
        *above, last = key.split(".")
        for part in above:
            content = content[part]
        content[last] = value

    path = tmp_path / "bad"
    if name.startswith("hf_"):
        shutil.copytree(checkpoint(name), path)
        content = json.loads((path / file).read_text(encoding="utf-8"))
        change(content)
        (path / file).write_text(json.dumps(content), encoding="utf-8")
        place = path / file
    else:
        place = rewritten(checkpoint(name), path, change)
    said = refusal(path, tmp_path)
    assert said.startswith(f"asr-qat: error: {place}: ") and said.count(str(path)) == 1
    assert complaint in said


def test_other_networks(tmp_path):
    def target(config):
        config["target"] = "nemo.collections.asr.models.EncDecMultiTaskModel"

    assert "target: 'EncDecMultiTaskModel'" in changed("ctc", tmp_path, target)

    def unknown(config):
        config["prompt"] = {"a": 1}

    assert "prompt: {'a': 1}" in changed("ctc", tmp_path, unknown)
    assert run("import", checkpoint("ctc"), "--out", tmp_path / "x", "--head", "transducer")[0] == 1


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("n_layers", 1, "encoder.layers.1"),  # tensors are left
        ("n_layers", 3, "no tensor encoder.layers.2"),
        ("ff_expansion_factor", 2, "feed_forward1.linear1.weight has the shape"),
        ("n_heads", 4, "pos_bias_u has the shape"),
        ("conv_kernel_size", 29, "depthwise_conv.weight has the shape"),
        ("subsampling_conv_channels", 4, "pre_encode.conv.0.weight has the shape"),
    ],
)
def test_tensors_of_another_network(key, value, message, tmp_path):
    assert message in changed(
        "ctc", tmp_path, lambda config: config["encoder"].update({key: value})
    )


def test_another_front_end_than_the_tensors(tmp_path):
    said = changed("ctc", tmp_path, lambda c: c["preprocessor"].update(highfreq=7000))
    assert "preprocessor.featurizer.fb is not that of its preprocessor" in said


def test_something_is_there_already(tmp_path):
    (tmp_path / "model").mkdir()
    code, said = run("import", checkpoint("ctc"), "--out", tmp_path / "model", "--quiet")
    assert code == 1 and "is there already" in said


def test_folders_that_cannot_be_imported(tmp_path):
    folder = shutil.copytree(checkpoint("hf_ctc"), tmp_path / "parakeet")

    def refused(name: str, change, place: str) -> None:
        path = folder / name
        before = path.read_bytes()
        content = json.loads(before)
        change(content)
        files.write_json(path, content)
        assert place in refusal(folder, tmp_path)
        path.write_bytes(before)

    refused("config.json", lambda c: c.update(model_type="wav2vec2"), "model_type: 'wav2vec2'")
    refused("config.json", lambda c: c.update(adapter=3), "adapter: 3")
    refused(
        "config.json", lambda c: c["encoder_config"].update(hidden_act="gelu"), "hidden_act: 'gelu'"
    )
    refused("config.json", lambda c: c.update(pad_token_id=99), "blank 99")
    refused("config.json", lambda c: c["encoder_config"].update(num_hidden_layers=1), "layers.1")
    refused(
        "processor_config.json", lambda c: c["feature_extractor"].update(n_fft=1024), "n_fft: 1024"
    )
    refused(
        "tokenizer.json", lambda c: c["normalizer"]["normalizers"].append({"type": "NFC"}), "'NFC'"
    )
    refused("tokenizer.json", lambda c: c["model"].update(type="WordPiece"), "type: 'WordPiece'")
    refused("tokenizer.json", lambda c: c["model"]["merges"].pop(), "is missing")
    config = (folder / "config.json").read_bytes()
    (folder / "config.json").write_bytes(b"[" * 100_000)
    assert "config.json: not valid JSON" in refusal(folder, tmp_path)
    (folder / "config.json").write_bytes(config)
    weights = folder / "model.safetensors"
    content = weights.read_bytes()
    for bad in (content[:-100], content[:50], b""):
        weights.write_bytes(bad)
        assert "damaged or truncated" in refusal(folder, tmp_path)
    weights.unlink()
    assert "neither model.safetensors nor" in refusal(folder, tmp_path)


def test_values_that_are_not_numbers(tmp_path):
    name = "decoder.decoder_layers.0.bias"
    path = tmp_path / "nan.nemo"
    found = TorchCheckpoint(io.BytesIO(weights_of("ctc")), "ctc")
    tensors = {n: found.read(n) for n in found.shapes() if not n.endswith("tracked")}
    tensors[name] = np.full_like(tensors[name], np.nan)
    rewritten(checkpoint("ctc"), path, files={WEIGHTS: of_floats(tensors)})
    assert f"{name} holds values that are not numbers" in refusal(path, tmp_path)
