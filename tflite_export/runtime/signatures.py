"""The signatures of a `.tflite` in LiteRT: by its interpreter, or compiled, with a weight cache.

Both compute the same numbers, to the bit. The interpreter packs the weights of a signature in
memory when that first runs. The compiled model maps the packed weights of all from a file. Both are
for one thread at a time, see `tflite_export.runtime.shared_signatures`.
"""

import os
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.hardware_accelerator import HardwareAccelerator
from ai_edge_litert.interpreter import Interpreter, OpResolverType, SignatureRunner
from ai_edge_litert.options import CpuOptions, Options
from ai_edge_litert.tensor_buffer import TensorBuffer

from asr_qat.arrays import Array

Details = dict[str, dict[str, Any]]  # of each tensor, by its name: `shape`, `dtype`


class Signatures(Protocol):
    """The functions of a file."""

    def names(self) -> list[str]:
        """Of the signatures."""

    def inputs(self, signature: str) -> Details:
        """Shape and type of each input."""

    def outputs(self, signature: str) -> Details:
        """Shape and type of each output."""

    def run(self, signature: str, inputs: dict[str, Array]) -> dict[str, Array]:
        """Outputs by name."""


class InterpretedSignatures:
    """`Signatures` by the interpreter.

    Args:
        content: of the file, which is not copied.
        threads: CPU threads.
        xnnpack: with LiteRT's delegate, as by default.

    Raises:
        ValueError, RuntimeError: LiteRT cannot load it.
    """

    def __init__(self, content: bytes, threads: int, xnnpack: bool = True):
        kind = OpResolverType.AUTO if xnnpack else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        self._interpreter = Interpreter(
            model_content=content, num_threads=threads, experimental_op_resolver_type=kind
        )
        self._runners: dict[str, SignatureRunner] = {}

    def names(self) -> list[str]:
        """As in `Signatures`."""
        return list(self._interpreter.get_signature_list())

    def inputs(self, signature: str) -> Details:
        """As in `Signatures`, with `quantization`."""
        found: Details = self._runner(signature).get_input_details()
        return found

    def outputs(self, signature: str) -> Details:
        """As in `Signatures`, with `quantization`."""
        found: Details = self._runner(signature).get_output_details()
        return found

    def run(self, signature: str, inputs: dict[str, Array]) -> dict[str, Array]:
        """As in `Signatures`."""
        found: dict[str, Array] = self._runner(signature)(**inputs)
        return found

    def _runner(self, signature: str) -> SignatureRunner:
        if signature not in self._runners:
            self._runners[signature] = self._interpreter.get_signature_runner(signature)
        return self._runners[signature]


class CompiledSignatures:
    """`Signatures` of a compiled model.

    Args:
        path: of the file.
        threads: CPU threads.
        packed: file with its packed weights. One that does not exist, or is empty, is written.
            It is not checked whose weights it holds: see `tflite_export.runtime.weight_cache`.

    Raises:
        ValueError, RuntimeError: LiteRT cannot load it.
    """

    def __init__(self, path: Path, threads: int, packed: Path):
        cpu = CpuOptions(num_threads=threads, xnnpack_weight_cache_path=os.fspath(packed))
        options = Options(HardwareAccelerator.CPU, cpu_options=cpu)
        self._model = CompiledModel.from_file(os.fspath(path), options=options)
        self._buffers: dict[str, tuple[dict[str, TensorBuffer], dict[str, TensorBuffer]]] = {}

    def names(self) -> list[str]:
        """As in `Signatures`."""
        return list(self._model.get_signature_list())

    def inputs(self, signature: str) -> Details:
        """As in `Signatures`."""
        found: Details = self._model.get_input_tensor_details(signature)
        return found

    def outputs(self, signature: str) -> Details:
        """As in `Signatures`."""
        found: Details = self._model.get_output_tensor_details(signature)
        return found

    def run(self, signature: str, inputs: dict[str, Array]) -> dict[str, Array]:
        """As in `Signatures`."""
        details = self.outputs(signature)
        if signature not in self._buffers:
            model = self._model
            self._buffers[signature] = (
                {x: model.create_input_buffer_by_name(signature, x) for x in inputs},
                {y: model.create_output_buffer_by_name(signature, y) for y in details},
            )
        given, found = self._buffers[signature]
        for name, values in inputs.items():
            given[name].write(values)
        self._model.run_by_name(signature, given, found)
        return {
            name: buffer.read(int(np.prod(details[name]["shape"])), details[name]["dtype"]).reshape(
                details[name]["shape"]
            )
            for name, buffer in found.items()
        }
