"""What `tflite-export inspect` finds in a file; written by `tflite_export.score.inspect`."""

import dataclasses

from asr_qat.source import Source

Counts = dict[str, int]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ListedConstant:
    """A vector of constants.

    Attributes:
        layer: that it is a kernel or bias of, if it is one with a product, or `other`.
        used_by: an operator that reads it.
        shape: of the tensor.
        bytes: of the vector.
    """

    layer: str
    used_by: str
    shape: tuple[int, ...]
    bytes: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Constant(ListedConstant):
    """The same with what the sums go by.

    Attributes:
        type: of its elements, as the file names it.
        kernel: whether it is the kernel of the operator that reads it.
    """

    type: str
    kernel: bool

    def listed(self) -> ListedConstant:
        """What is shown of it."""
        return ListedConstant(
            layer=self.layer, used_by=self.used_by, shape=self.shape, bytes=self.bytes
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ByteParts:
    """Bytes of the parts that make up a file.

    Attributes:
        constants: weights and tables.
        metadata: what the recogniser needs beside the graph.
        quantization: scales and zero points.
        graph: tables, names, padding.
    """

    constants: int
    metadata: int
    quantization: int
    graph: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class DelegatedGraph:
    """What XNNPACK runs of a signature.

    Attributes:
        operators: of the graph.
        delegated: of these, how many it runs.
        share: the same as a share.
        partitions: pieces that the graph is broken into for them.
        rest: how many of each kind it does not run.
    """

    operators: int
    delegated: int
    share: float
    partitions: int
    rest: Counts


@dataclasses.dataclass(frozen=True, kw_only=True)
class LiveFacts:
    """How a live file streams.

    Attributes:
        chunk_ms: milliseconds of audio that one call may take.
        left_context_ms: that a frame attends to before it, in each block.
        look_ahead_ms: of the causal encoder and of the cascade on top of it.
        latency_ms: that the `first` and the `second` pass lag the audio.
    """

    chunk_ms: tuple[float, ...]
    left_context_ms: float
    look_ahead_ms: dict[str, float]
    latency_ms: dict[str, float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recorded:
    """What a file's metadata tells; nothing in one that this package did not make.

    Attributes:
        precision: of the weights and activations.
        widths: the same in words, with the layers that have another one.
        method: how it was quantized.
        full_integer: bits of all activations if every tensor is an integer, else None.
        live: how it streams, None of a recogniser of whole utterances.
        source: where imported weights come from, None of a model that was trained here.
        normalizer: of the texts that it was trained on.
    """

    precision: str | None = None
    widths: str | None = None
    method: str | None = None
    full_integer: int | None = None
    live: LiveFacts | None = None
    source: Source | None = None
    normalizer: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contents(Recorded):
    """What is inside a `.tflite` file; constants that several signatures share count once.

    Attributes:
        name: of the file.
        path: of the file.
        bytes: of the file.
        wire_bytes: of the file, compressed with zstd.
        bytes_by_part: of its parts.
        bytes_by_type: of the constants, by type of their elements.
        bytes_by_layer: of the constants, by layer with a product.
        tensor_types: number of tensors of each type, constants and activations.
        operators: number of each kind, for each signature and in `total`.
        custom_operators: their names, those of Flex among them.
        weight_widths: share of the elements at each width in bits, of the dense products'
            kernels (`dense`) and of all constants (`all`).
        delegated: for each signature, None if LiteRT cannot prepare the graph.
        largest_float: the largest float constants.
        folded_tables: float constants of more than `FOLDED_TABLE_BYTES` that are no kernel.
    """

    name: str
    path: str
    bytes: int
    wire_bytes: int
    bytes_by_part: ByteParts
    bytes_by_type: Counts
    bytes_by_layer: Counts
    tensor_types: Counts
    operators: dict[str, Counts]
    custom_operators: tuple[str, ...]
    weight_widths: dict[str, dict[str, float]]
    delegated: dict[str, DelegatedGraph | None]
    largest_float: tuple[ListedConstant, ...]
    folded_tables: tuple[ListedConstant, ...]
