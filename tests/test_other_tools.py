"""Other software opens the files: OpenVINO, tf2onnx, the quantizer's command, Model Explorer."""

import collections
import json
import subprocess
import sys

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from asr_qat.audio.front_end import subsampled_length
from tests.export_fixtures import FRAMES, SECONDS, noise

pytest_plugins = ["tests.export_fixtures"]
pytestmark = pytest.mark.long

LENGTH = 90  # valid frames


def inputs() -> dict[str, np.ndarray]:
    """Of the shorter signature, by the names that it gives them."""
    return {"features": noise(FRAMES[0])[None], "lengths": np.array([LENGTH], np.int32)}


def litert(path) -> np.ndarray:
    interpreter = Interpreter(model_path=str(path), num_threads=1)
    run = interpreter.get_signature_runner(f"encode_{FRAMES[0]}")
    return run(**inputs())["logits"]


def of_tensors(names) -> dict[str, np.ndarray]:
    """The inputs by the names of the tensors, `encode_98_features:0`."""
    return {name: next(x for key, x in inputs().items() if key in name) for name in names}


def command(module: str, *words) -> subprocess.CompletedProcess:
    done = [sys.executable, "-m", module, *map(str, words)]
    return subprocess.run(done, capture_output=True, text=True)


def test_openvino_computes_the_same(exported):
    openvino = pytest.importorskip("openvino", reason="pip install openvino")
    path = exported("float", SECONDS[:1])
    model = openvino.Core().read_model(str(path))
    names = [each.get_any_name() for each in model.inputs]
    precision = {"INFERENCE_PRECISION_HINT": "f32"}  # else bfloat16, on CPUs that have it
    compiled = openvino.Core().compile_model(model, "CPU", precision)
    (got,) = compiled(of_tensors(names)).values()
    valid = subsampled_length(LENGTH, halvings=2)
    np.testing.assert_allclose(got[:, :valid], litert(path)[:, :valid], atol=1e-3)


@pytest.mark.parametrize("precision", ["float", "w8a8"])
def test_tf2onnx_converts(exported, precision, tmp_path):
    pytest.importorskip("tf2onnx", reason="pip install tf2onnx 'onnx<1.17'")
    onnx = tmp_path / "made.onnx"
    path = exported(precision, SECONDS[:1])
    words = ["--tflite", path, "--output", onnx, "--opset", "17"]
    done = command("tf2onnx.convert", *words)
    assert done.returncode == 0, done.stderr[-2000:]
    assert onnx.stat().st_size > 10_000


def test_the_quantizers_command_takes_it(exported, tmp_path):
    """With both signatures; what it makes runs, and is near the float file."""
    path = exported("float")
    words = ["--model_file", path, "--recipe", "dynamic_wi8_afp32", "--output_dir", tmp_path]
    done = command("litert_quantizer.litert_quantizer", *words)
    if "google.protobuf" in done.stderr and "ImportError" in done.stderr:
        pytest.skip("the quantizer's command needs a protobuf that TensorFlow 2.17 does not take")
    assert done.returncode == 0, done.stderr[-2000:]
    (made,) = tmp_path.glob("*.tflite")
    assert made.stat().st_size < path.stat().st_size
    expected = litert(path)
    assert np.abs(litert(made) - expected).mean() < 0.1 * expected.std()


@pytest.mark.parametrize("precision", ["float", "w4a8"])
def test_model_explorer_shows_blocks_and_layers(exported, precision):
    adapter = pytest.importorskip(
        "ai_edge_model_explorer_adapter", reason="pip install ai-edge-model-explorer"
    )
    path = exported(precision, SECONDS[:1])
    made = adapter.ConvertFlatbufferDirectlyToJson(adapter.VisualizeConfig(), str(path))
    nodes = _nodes(json.loads(made))
    names = [node.get("namespace", "") for node in nodes]
    scopes = collections.Counter(name.rpartition("/")[0] for name in names)
    assert {"block_00/attention", "block_00/ffn1_expand", "ctc_output"} <= scopes.keys()
    assert sum(count for scope, count in scopes.items() if scope) > 0.95 * len(nodes)


def _nodes(found) -> list[dict]:
    """Of all graphs, wherever they lie in what the adapter gives."""
    if isinstance(found, list):
        return [node for each in found for node in _nodes(each)]
    if not isinstance(found, dict):
        return []
    own = found.get("nodes", [])
    return own + [n for key, each in found.items() if key != "nodes" for n in _nodes(each)]
