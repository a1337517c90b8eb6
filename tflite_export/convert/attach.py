"""Write metadata into a flatbuffer object."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tflite_export.runtime.metadata import Metadata


def attach_metadata(model: schema.ModelT, metadata: Metadata) -> None:
    """Replace all metadata of `model` by `metadata`, in place."""
    model.metadata = []
    for name, content in metadata.buffers().items():
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(content, np.uint8)
        entry = schema.MetadataT()
        entry.name = name.encode()
        entry.buffer = len(model.buffers)
        model.buffers.append(buffer)
        model.metadata.append(entry)
