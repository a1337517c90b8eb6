"""The small files of `tests.tones_fixtures` as a conversion writes them today, with a checksum."""

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.tones_fixtures import KINDS, tones_file
from tflite_export.convert.serialize import attach_metadata, serialize
from tflite_export.runtime.checksum import DIGEST, checksum
from tflite_export.runtime.metadata import DESCRIPTION, read_metadata

pytest_plugins = ["tests.tones_fixtures"]


@pytest.fixture(scope="session")
def sealed_files(tmp_path_factory) -> dict[str, Path]:
    """By kind."""
    folder = tmp_path_factory.mktemp("sealed")
    found = {}
    for kind in KINDS:
        model = schema.ModelT.InitFromPackedBuf(tones_file(kind).read_bytes(), 0)
        attach_metadata(model, read_metadata(tones_file(kind)))
        found[kind] = folder / f"{kind}.tflite"
        found[kind].write_bytes(serialize(model))
    return found


def resealed(content: bytes) -> bytes:
    """The content with the checksum that it should have."""
    changed = bytearray(content)
    changed[DIGEST] = checksum(content)
    return bytes(changed)


def described(content: bytes, old: str, new: str) -> bytes:
    """The file with a part of its description replaced, and a checksum that is right."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    (entry,) = (e for e in model.metadata if e.name == DESCRIPTION.encode())
    buffer = model.buffers[entry.buffer]
    description = bytes(buffer.data)
    assert description.count(old.encode()) == 1, old
    buffer.data = np.frombuffer(description.replace(old.encode(), new.encode()), np.uint8)
    return serialize(model)
