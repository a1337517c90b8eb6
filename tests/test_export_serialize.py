"""A flatbuffer written with every vector once is the same flatbuffer, smaller."""

import copy

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.tools import flatbuffer_utils

from tests.export_fixtures import FRAMES, noise
from tflite_export.convert.serialize import serialize

pytest_plugins = ["tests.export_fixtures"]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["float", "w4a8", "w2a8"])
def unshared(request, exported):
    """Bytes of a file as the generated code writes it."""
    model = flatbuffer_utils.read_model(str(exported(request.param)))
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def read(content):
    return flatbuffer_utils.read_model_from_bytearray(bytearray(content))


def plain(value):
    """An object as nested dictionaries and lists; an absent vector is an empty one."""
    if isinstance(value, np.ndarray):
        return value.tolist() or None
    if isinstance(value, list):
        return [plain(item) for item in value] or None
    if hasattr(value, "__dict__"):
        return {key: plain(item) for key, item in vars(value).items()}
    return value


def test_a_round_trip(unshared):
    model = read(unshared)
    expected = plain(copy.deepcopy(model))
    assert plain(read(serialize(model))) == expected


def test_vectors_are_stored_once(unshared):
    shared = serialize(read(unshared))
    assert len(shared) < 0.95 * len(unshared)
    assert serialize(read(shared)) == shared


def test_scales_of_both_signatures_are_the_same_bytes(exported):
    """Overwriting the scales of one kernel where they lie changes them in both graphs."""
    content = bytearray(exported("w4a8").read_bytes())
    first, second = (
        next(t for t in graph.tensors if t.name.startswith(b"ctc_output/kernel")).quantization.scale
        for graph in read(content).subgraphs
    )
    np.testing.assert_array_equal(first, second)
    assert content.count(np.asarray(first, np.float32).tobytes()) == 1


def test_litert_computes_the_same(unshared):
    features = noise(FRAMES[0])[None]
    results = []
    for content in (unshared, serialize(read(unshared))):
        interpreter = Interpreter(model_content=content, num_threads=1)
        run = interpreter.get_signature_runner(f"encode_{FRAMES[0]}")
        results.append(run(features=features, lengths=np.array([90], np.int32))["logits"])
    np.testing.assert_array_equal(*results)
    assert np.ptp(results[0]) > 0.1
