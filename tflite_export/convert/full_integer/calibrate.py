"""Ranges of the activations of an integer graph, measured while it is still float."""

import warnings
from collections.abc import Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ai_edge_litert.tools import flatbuffer_utils

from asr_qat.errors import UserError
from asr_qat.progress import progress
from tflite_export.convert.full_integer.layers import PENALTY
from tflite_export.silence import silence

SOFTMAX_REACH = 12.0  # a score that far below the best one of its row weighs 6e-6 of it

Range = tuple[float, float]
# An input by name, or an operator's number and code and the position of one of its outputs.
Part = str | tuple[int, int, int]


def activation_ranges(
    content: bytes, utterances: Sequence[np.ndarray], quiet: bool = False
) -> dict[str, Range]:
    """Smallest and largest value of each activation, over all utterances and signatures.

    Utterances are run as they will be: padded to the shortest signature that holds them, and
    cut where they are longer than all. What depends on the mask alone is measured with an empty
    one too. A score has another lower end than that of its values, which hold the penalties of
    masked frames: a distance of `SOFTMAX_REACH` below the best score of any row, where a sum
    may saturate.

    Args:
        content: a float `.tflite` of `integer_model`s, of several lengths.
        utterances: normalised features `[frames, mel_bins]` of each.
        quiet: without progress.

    Returns:
        Range by tensor name, of all signatures: the same for the same part in each.

    Raises:
        UserError: attention scores span more than the penalty of masked frames.
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    with silence(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        interpreter = Interpreter(
            model_content=content,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=True,
        )
        graphs = sorted(
            (_Observed(model, signature, interpreter) for signature in model.signatureDefs),
            key=lambda graph: graph.frames,
        )
    ranges: dict[Part, Range] = {}
    shortest, longest = graphs[0], graphs[-1]
    shortest.run(np.zeros((0, utterances[0].shape[1]), np.float32))
    shortest.widen(ranges, of_speech=False)
    for features in progress(utterances, "calibrate", len(utterances), quiet=quiet):
        for start in range(0, len(features), longest.frames):
            piece = features[start : start + longest.frames]
            graph = next(graph for graph in graphs if graph.frames >= len(piece))
            graph.run(piece)
            graph.widen(ranges, of_speech=True)
    return {graph.name(part): found for graph in graphs for part, found in ranges.items()}


class _Observed:
    """A graph, the values of whose activations can be read.

    Attributes:
        frames: that it takes.
    """

    def __init__(self, model: schema.ModelT, signature: schema.SignatureDefT, interpreter):
        self._graph = model.subgraphs[signature.subgraphIndex]
        self._index = signature.subgraphIndex
        self._interpreter = interpreter
        self._runner = interpreter.get_signature_runner(signature.signatureKey.decode())
        self.frames = int(self._runner.get_input_details()["mask"]["shape"][1])
        features = _input(self._graph, "features")
        self._tensors: dict[Part, int] = {
            "features": features,
            "mask": _input(self._graph, "mask"),
        }
        for number, operator in enumerate(self._graph.operators):
            code = model.operatorCodes[operator.opcodeIndex].builtinCode
            for position, tensor in enumerate(operator.outputs):
                self._tensors[number, code, position] = int(tensor)
        self._of_speech = _dependent(self._graph, features)
        self._scores = _inputs_of(model, self._graph, schema.BuiltinOperator.SOFTMAX)

    def run(self, features: np.ndarray) -> None:
        """Compute the activations of at most `frames` frames."""
        padded = np.zeros((1, self.frames, features.shape[1]), np.float32)
        padded[0, : len(features)] = features
        mask = (np.arange(self.frames) < len(features)).astype(np.float32)[None]
        self._runner(features=padded, mask=mask)

    def widen(self, ranges: dict[Part, Range], of_speech: bool) -> None:
        """Widen ranges by the last run, those that depend on the features only if `of_speech`."""
        for part, tensor in self._tensors.items():
            if tensor in self._of_speech and not of_speech:
                continue
            values = self._interpreter.get_tensor(tensor, self._index)
            low, high = _range(values, tensor in self._scores)
            before = ranges.get(part, (low, high))
            ranges[part] = low, high = min(low, before[0]), max(high, before[1])
            if tensor in self._scores and high - low > PENALTY / 2:
                raise UserError(
                    f"attention scores from {low:.0f} to {high:.0f}: too far apart for a "
                    "full-integer file: train with more weight decay"
                )

    def name(self, part: Part) -> str:
        """Of the tensor that plays a part: the same parts are in every graph."""
        return self._graph.tensors[self._tensors[part]].name.decode()


def _range(values: np.ndarray, scores: bool) -> Range:
    if not scores:
        return max(float(values.min()), -PENALTY), float(values.max())
    best = values.max(axis=-1)
    best = best[best > -PENALTY / 2]  # not of frames that attend to masked ones alone
    return float(best.min()) - SOFTMAX_REACH, float(best.max())


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
