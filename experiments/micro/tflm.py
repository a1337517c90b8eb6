"""TensorFlow Lite for Microcontrollers, in its own interpreter (the package tflite-micro).

Its reference kernels are plain C++; those that Arm wrote for Cortex-M give the same integers.
"""

import types

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from asr_qat.arrays import Array
from asr_qat.errors import UserError
from tflite_export.runtime.signatures import Details, Signatures
from tflite_export.silence import silence

KIB = 1 << 10
AMPLE = 256 * KIB * KIB  # bytes of an arena that any small model fits in


def runtime() -> types.ModuleType:
    """The package's module.

    Raises:
        UserError: it is not installed.
    """
    try:
        from tflite_micro.python.tflite_micro import runtime as found
    except ImportError:
        raise UserError("needs TFLM's interpreter: pip install tflite-micro") from None
    return found


class TFLMSignatures:
    """`Signatures` of a file with one signature, by TFLM's interpreter.

    Args:
        content: of the file.
        details: LiteRT's signatures of the same file, which say what its tensors are.

    Raises:
        RuntimeError: TFLM cannot load it.
    """

    def __init__(self, content: bytes, details: Signatures):
        self._details = details
        self._interpreter = runtime().Interpreter.from_bytes(content, arena_size=AMPLE)
        model = schema.Model.GetRootAs(content)
        graph, signature = model.Subgraphs(0), model.SignatureDefs(0)
        inputs = [signature.Inputs(i) for i in range(signature.InputsLength())]
        places = {int(tensor): place for place, tensor in enumerate(graph.InputsAsNumpy())}
        self._places = {each.Name().decode(): places[each.TensorIndex()] for each in inputs}

    def names(self) -> list[str]:
        """As in `Signatures`."""
        return self._details.names()

    def inputs(self, signature: str) -> Details:
        """As in `Signatures`."""
        return self._details.inputs(signature)

    def outputs(self, signature: str) -> Details:
        """As in `Signatures`."""
        return self._details.outputs(signature)

    def run(self, signature: str, inputs: dict[str, Array]) -> dict[str, Array]:
        """As in `Signatures`."""
        for name, values in inputs.items():
            self._interpreter.set_input(np.ascontiguousarray(values), self._places[name])
        self._interpreter.invoke()
        (name,) = self.outputs(signature)
        return {name: self._interpreter.get_output(0)}


def arena_bytes(content: bytes) -> int:
    """The smallest arena, in steps of 1 KiB, in which TFLM's interpreter runs a file."""

    def runs(size: int) -> bool:
        try:
            interpreter = runtime().Interpreter.from_bytes(content, arena_size=size)
            interpreter.invoke()
        except RuntimeError:
            return False
        return True

    enough, little = AMPLE // KIB, 0
    with silence():
        while enough - little > 1:
            half = (enough + little) // 2
            enough, little = (half, little) if runs(half * KIB) else (enough, half)
    return enough * KIB
