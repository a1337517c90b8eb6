"""Ranges of the activations of an integer graph, measured while it is still float."""

import warnings
from collections.abc import Iterator

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ai_edge_litert.tools import flatbuffer_utils

from asr_qat.errors import UserError
from asr_qat.progress import progress
from tflite_export.full_integer.layers import PENALTY
from tflite_export.silence import silence

SOFTMAX_REACH = 12.0  # a score that far below the best one of its row weighs 6e-6 of it

Range = tuple[float, float]


def activation_ranges(
    content: bytes, signature: str, features: np.ndarray, quiet: bool = False
) -> dict[str, Range]:
    """Smallest and largest value of each activation.

    What depends on the mask alone is measured with a full and an empty one. A score has
    another lower end than that of its values, which hold the penalties of masked frames: a
    distance of `SOFTMAX_REACH` below the best score of any row, where a sum may saturate.

    Args:
        content: a float `.tflite` of `integer_model`s, of several lengths.
        signature: the one that is run; the others have the same operators.
        features: `[frames, mel_bins]`, normalised, of speech. It is cut into windows of the
            signature's length; what is too short for one is repeated.
        quiet: without progress.

    Returns:
        Range by tensor name, of all signatures.

    Raises:
        UserError: attention scores span more than the penalty of masked frames.
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    (found,) = [s for s in model.signatureDefs if s.signatureKey.decode() == signature]
    graph = model.subgraphs[found.subgraphIndex]
    observer = _Observer(model, graph, _run(content, found, features, quiet))
    return {
        other.tensors[theirs].name.decode(): observer.ranges[ours]
        for other in model.subgraphs
        for ours, theirs in _corresponding(model, graph, other)
        if ours in observer.ranges
    }


def _run(content: bytes, signature: schema.SignatureDefT, features: np.ndarray, quiet: bool):
    """Yield after each run whether its mask was full, and the function that reads a tensor."""
    with silence(), warnings.catch_warnings(action="ignore"):
        interpreter = Interpreter(
            model_content=content,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=True,
        )
        runner = interpreter.get_signature_runner(signature.signatureKey.decode())
    shape = runner.get_input_details()["mask"]["shape"]

    def read(tensor: int) -> np.ndarray:
        return interpreter.get_tensor(tensor, signature.subgraphIndex)

    windows = _windows(features, int(shape[1]))
    runner(features=windows[:1], mask=np.zeros(shape, np.float32))
    yield False, read
    for window in progress(windows, "calibrate", len(windows), "windows", quiet):
        runner(features=window[None], mask=np.ones(shape, np.float32))
        yield True, read


def _windows(features: np.ndarray, frames: int) -> np.ndarray:
    """`[windows, frames, mel_bins]`, one after the other, without a rest."""
    count = max(len(features) // frames, 1)
    return np.resize(features, (count, frames, features.shape[1]))


class _Observer:
    """Collects the ranges of a graph's activations over runs.

    Attributes:
        ranges: by tensor index.
    """

    def __init__(self, model: schema.ModelT, graph: schema.SubGraphT, runs: Iterator):
        self.ranges: dict[int, Range] = {}
        activations = [
            index
            for index, tensor in enumerate(graph.tensors)
            if tensor.type == schema.TensorType.FLOAT32
            and model.buffers[tensor.buffer].data is None
        ]
        of_speech = _dependent(graph, _input(graph, "features"))
        scores = _inputs_of(model, graph, schema.BuiltinOperator.SOFTMAX)
        for full, read in runs:
            for index in activations:
                if full or index not in of_speech:
                    self._widen(index, _range(read(index), index in scores))
        for index in scores:
            low, high = self.ranges[index]
            if high - low > PENALTY:
                raise UserError(
                    f"attention scores from {low:.0f} to {high:.0f}: too far apart for a "
                    "full-integer file: train with more weight decay"
                )

    def _widen(self, index: int, found: Range) -> None:
        low, high = self.ranges.get(index, found)
        self.ranges[index] = min(low, found[0]), max(high, found[1])


def _range(values: np.ndarray, scores: bool) -> Range:
    if scores:
        return float(values.max(axis=-1).min()) - SOFTMAX_REACH, float(values.max())
    return max(float(values.min()), -PENALTY), float(values.max())


def _input(graph: schema.SubGraphT, name: str) -> int:
    """The graph's input that the signature calls `name`."""
    (index,) = [i for i in graph.inputs if name in graph.tensors[i].name.decode()]
    return index


def _dependent(graph: schema.SubGraphT, source: int) -> set[int]:
    """The tensors that are computed from `source`, with itself."""
    found = {source}
    for operator in graph.operators:  # in the order of execution
        if found.intersection(operator.inputs):
            found.update(operator.outputs)
    return found


def _inputs_of(model: schema.ModelT, graph: schema.SubGraphT, code: int) -> set[int]:
    return {
        operator.inputs[0]
        for operator in graph.operators
        if model.operatorCodes[operator.opcodeIndex].builtinCode == code
    }


def _corresponding(model: schema.ModelT, graph: schema.SubGraphT, other: schema.SubGraphT):
    """Pairs of tensors that play the same part in two graphs of another length."""
    for name in ("features", "mask"):
        yield _input(graph, name), _input(other, name)
    for ours, theirs in zip(graph.operators, other.operators, strict=True):
        assert ours.opcodeIndex == theirs.opcodeIndex, "signatures of different operators"
        yield from zip(ours.outputs, theirs.outputs, strict=True)
