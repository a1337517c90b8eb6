"""Reading PyTorch's checkpoints: types, strides, and what is refused."""

import io
import pickle

import numpy as np
import pytest

from asr_qat.errors import UserError
from asr_qat.pretrained.torch_checkpoint import TorchCheckpoint
from tests.torch_archive import checkpoint, opcodes, tensor, word

NUMBERS = np.arange(-6, 6)
TYPES = {
    "DoubleStorage": np.float64,
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
}


def read(content: bytes) -> TorchCheckpoint:
    return TorchCheckpoint(io.BytesIO(content), "weights.ckpt")


def refusal(content: bytes, name: str | None = None) -> str:
    with pytest.raises(UserError) as raised:
        found = read(content)
        if name is not None:
            found.read(name)
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith("weights.ckpt: ")
    return str(raised.value)


@pytest.mark.parametrize("storage", TYPES)
def test_types(storage):
    values = NUMBERS.astype(TYPES[storage])
    found = read(
        checkpoint({"x": tensor(storage, "0", 12, (3, 4), (4, 1))}, {"0": values.tobytes()})
    )
    assert found.shapes() == {"x": (3, 4)}
    np.testing.assert_array_equal(found.read("x"), values.reshape(3, 4))
    assert found.read("x").dtype == values.dtype


def test_bfloat16_and_truth_values():
    halves = (NUMBERS.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    truths = NUMBERS % 2 == 0
    found = read(
        checkpoint(
            {
                "x": tensor("BFloat16Storage", "0", 12, (12,), (1,)),
                "y": tensor("BoolStorage", "1", 12, (12,), (1,)),
            },
            {"0": halves.tobytes(), "1": truths.tobytes()},
        )
    )
    np.testing.assert_array_equal(found.read("x"), NUMBERS.astype(np.float32))
    np.testing.assert_array_equal(found.read("y"), truths)


def test_views_of_one_storage():
    values = NUMBERS.astype(np.float32)
    found = read(
        checkpoint(
            {
                "transposed": tensor("FloatStorage", "7", 12, (4, 3), (1, 4)),
                "part": tensor("FloatStorage", "7", 12, (2, 2), (4, 1), 5),
                "number": tensor("FloatStorage", "7", 12, (), (), 3),
                "none": tensor("FloatStorage", "7", 12, (0, 3), (3, 1)),
            },
            {"7": values.tobytes()},
        )
    )
    table = values.reshape(3, 4)
    np.testing.assert_array_equal(found.read("transposed"), table.T)
    np.testing.assert_array_equal(found.read("part"), table[1:, 1:3])
    assert found.read("number") == values[3]
    assert found.read("none").shape == (0, 3)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("collections", "Counter"),
        ("os", "system"),
        ("builtins", "eval"),
        ("torch.nn", "Linear"),
        ("torch", "load"),
    ],
)
def test_every_other_global_is_refused_by_name(module, name):
    call = word(module, name) + pickle.EMPTY_TUPLE + pickle.REDUCE
    assert f"asks for {module}.{name}" in refusal(checkpoint({"x": call}, {}))


def test_nothing_of_a_refused_pickle_is_called(monkeypatch):
    called = []
    monkeypatch.setattr("os.getcwd", lambda: called.append(1))
    refusal(checkpoint({"x": word("os", "getcwd") + pickle.EMPTY_TUPLE + pickle.REDUCE}, {}))
    assert not called


def test_what_is_no_tensor():
    assert "x: int, expected a tensor" in refusal(checkpoint({"x": opcodes(3)}, {}))


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [((13,), (1,), 0), ((3, 4), (4, 1), 1), ((2,), (-1,), 3), ((2,), (1,), -1), ((2, 2), (1,), 0)],
)
def test_values_outside_of_the_storage(shape, strides, offset):
    content = checkpoint(
        {"x": tensor("FloatStorage", "0", 12, shape, strides, offset)}, {"0": bytes(48)}
    )
    assert "tensor x lies outside" in refusal(content)


def test_damages():
    values = {"x": tensor("FloatStorage", "0", 12, (12,), (1,))}
    whole = checkpoint(values, {"0": NUMBERS.astype(np.float32).tobytes()})
    assert "x is damaged" in refusal(checkpoint(values, {"0": bytes(40)}), "x")
    assert "x is damaged" in refusal(checkpoint(values, {}), "x")
    assert "truncated" in refusal(whole[:-30])
    at = whole.index(NUMBERS.astype(np.float32).tobytes())
    assert "x is damaged" in refusal(whole[:at] + b"\x01" + whole[at + 1 :], "x")  # its CRC
    assert "not a PyTorch zip checkpoint" in refusal(b"")
    assert "not a PyTorch zip checkpoint" in refusal(pickle.dumps([1]))  # PyTorch's older format
    empty = io.BytesIO()
    import zipfile

    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("notes.txt", "no network")
    assert "no PyTorch checkpoint" in refusal(empty.getvalue())
    for cut in range(2, 40, 5):  # of the pickle
        pickled = checkpoint(values, {})
        with zipfile.ZipFile(io.BytesIO(pickled)) as archive:
            content = archive.read("archive/data.pkl")[:cut]
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("archive/data.pkl", content)
        assert "pickle is damaged" in refusal(buffer.getvalue())
