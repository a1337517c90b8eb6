"""A flatbuffer object to bytes: its metadata and checksum attached, every vector stored once.

The generated code writes each tensor's scales, zero points and shape separately. In a small model
that is an eighth of the file: all zero points of a width are the same zeros, and signatures
repeat the scales of the weights that they share.
"""

import hashlib

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tflite_export.runtime.checksum import DIGEST, HEAD_BYTES, IDENTIFIER, UNSEALED, checksum
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


class SharingBuilder(flatbuffers.Builder):
    """A builder that refers to an equal vector written before instead of repeating it."""

    def __init__(self, size: int):
        super().__init__(size)
        self._written: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x):  # noqa: N802 (the name is the parent's)
        """Offset of a vector with the content of `x`."""
        key = (x.dtype.str, hashlib.sha256(np.ascontiguousarray(x).data).digest())
        if key not in self._written:
            self._written[key] = super().CreateNumpyVector(x)
        return self._written[key]


def serialize(model: schema.ModelT) -> bytes:
    """The bytes of a `.tflite` file."""
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.shape = _array(tensor.shape, np.int32)
            if tensor.shapeSignature is not None and len(tensor.shapeSignature):
                tensor.shapeSignature = _array(tensor.shapeSignature, np.int32)
            _share_quantization(tensor)
    constants = sum(buffer.data.nbytes for buffer in model.buffers if buffer.data is not None)
    builder = SharingBuilder(min(constants + (1 << 20), SharingBuilder.MAX_BUFFER_SIZE))
    root = model.Pack(builder)
    _reserve_checksum(builder)
    builder.Finish(root, file_identifier=IDENTIFIER)
    content = memoryview(builder.Bytes)[builder.Head() :]
    content[DIGEST] = checksum(content)
    return bytes(content)  # one copy, not two


def _reserve_checksum(builder: flatbuffers.Builder) -> None:
    """Write `UNSEALED` where the head will come right before it: a builder goes from end to start.

    The padding that aligns the file's length, which `Finish` would add, comes after it.
    """
    builder.Prep(builder.minalign, HEAD_BYTES + len(UNSEALED))
    builder.head -= len(UNSEALED)
    builder.Bytes[builder.head : builder.head + len(UNSEALED)] = UNSEALED


def _share_quantization(tensor: schema.TensorT) -> None:
    quantization = tensor.quantization
    if quantization is None or quantization.details is not None:  # scales of blocks: a tensor
        return
    if quantization.scale is None or len(quantization.scale) == 0:
        tensor.quantization = None  # the converter leaves empty tables behind
        return
    quantization.scale = _array(quantization.scale, np.float32)
    quantization.zeroPoint = _array(quantization.zeroPoint, np.int64)
    quantization.min = quantization.max = None


def _array(values, dtype) -> np.ndarray:
    return np.asarray(values if values is not None else [], dtype)
