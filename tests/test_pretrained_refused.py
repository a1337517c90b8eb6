"""What cannot be imported is refused in one line that names the file and the key."""

import io
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from asr_qat import files
from asr_qat.pretrained.torch_checkpoint import TorchCheckpoint
from tests.pretrained_fixtures import checkpoint, refusal, run
from tests.torch_archive import CONFIG, WEIGHTS, members, of_floats, plain, rewritten


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
