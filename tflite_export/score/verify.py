"""A `.tflite` of any Keras model against that model: each quantized product, and the outputs.

The products are what was trained: on the same input they have to give the same, up to the last
bits of a float. An output of the whole model may differ by more: where an activation lies on a
rounding edge, the last bit of a float decides to which side it falls.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ai_edge_litert.tools import flatbuffer_utils
from tensorflow import keras

from asr_qat.arrays import Array
from asr_qat.compat import inputs_of_call
from asr_qat.errors import require
from asr_qat.leftovers import temporary_folder
from asr_qat.quantize.apply import quantized_layers
from tflite_export.score.delegation import delegation
from tflite_export.score.product_probes import ProductProbes
from tflite_export.score.rows import ProductError

SMALLEST = float(np.finfo(np.float32).tiny)


@dataclasses.dataclass(frozen=True)
class OutputError:
    """An output of the model.

    Attributes:
        name: in the signature.
        rows: compared.
        max_error: largest difference, as a share of the range of the output.
    """

    name: str
    rows: int
    max_error: float


@dataclasses.dataclass(frozen=True)
class Verification:
    """How far a file is from its model.

    Attributes:
        products: every quantized product of the signature, in the order of the graph.
        outputs: of the signature.
        not_in_file: products of the model that the signature does not have.
        operators: of the signature's graph.
        delegated: those of them that XNNPACK runs; fewer where a dimension stays open.
    """

    products: tuple[ProductError, ...]
    outputs: tuple[OutputError, ...]
    not_in_file: tuple[str, ...]
    operators: int
    delegated: int

    @property
    def max_product_error(self) -> float:
        """Of all products; 0 without any."""
        return float(np.max([product.max_error for product in self.products], initial=0.0))

    @property
    def max_output_error(self) -> float:
        """Of all outputs."""
        return float(np.max([output.max_error for output in self.outputs]))

    def __str__(self) -> str:
        """A line for each product and output."""
        lines = [f"{p.max_error:9.1e}  {p.layer}" for p in self.products]
        lines += [f"{o.max_error:9.1e}  output {o.name}" for o in self.outputs]
        lines += [f"        -  {name}: not in this signature" for name in self.not_in_file]
        lines.append(f"XNNPACK runs {self.delegated} of {self.operators} operators")
        return "\n".join(["largest difference, as a share of the range", *lines])


def verify(
    model: keras.Model,
    path: str | Path,
    inputs: Any,
    signature: str | None = None,
    xnnpack: bool = True,
) -> Verification:
    """Compare a file with the model that it was exported from.

    Args:
        model: from `asr_qat.quantize_model`, or float.
        path: the `.tflite`.
        inputs: a batch of the model's inputs, or several in a list; as the model takes them. It
            is cut into the batches of the signature.
        signature: that is run. None: the first one.
        xnnpack: with LiteRT's delegate, as by default. Without it 4-bit products of an even
            number of inputs, 32 and more, quantize their activations symmetrically, unlike in
            training.

    Raises:
        UserError: no such file or signature, inputs of another shape, or fewer than its batch.
    """
    require(Path(path).is_file(), f"{path}: no such file")
    batches = inputs if isinstance(inputs, list) and len(model.inputs) == 1 else [inputs]
    with temporary_folder() as folder:
        probed = folder / "probed.tflite"
        layers = quantized_layers(model)
        probes = ProductProbes(path, layers, {}, probed)
        kind = OpResolverType.AUTO if xnnpack else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        interpreter = Interpreter(str(probed), experimental_op_resolver_type=kind)
        names = list(interpreter.get_signature_list())
        signature = signature or names[0]
        require(signature in names, f"{path}: signature '{signature}': has {', '.join(names)}")
        outputs = _run(model, interpreter, signature, batches, probes)
    found = probes.summary()
    seen = {product.layer for product in found}
    operators, delegated = _operators(path, signature)
    return Verification(
        tuple(found),
        outputs,
        tuple(name for name in layers if name not in seen),
        operators,
        delegated if xnnpack else 0,
    )


def _operators(path: str | Path, signature: str) -> tuple[int, int]:
    """How many operators the graph of a signature has, and how many XNNPACK runs."""
    flat = flatbuffer_utils.read_model(str(path))
    (index,) = [s.subgraphIndex for s in flat.signatureDefs if s.signatureKey.decode() == signature]
    graph = flat.subgraphs[index]
    return len(graph.operators), len(delegation(flat, graph).operators)


def _run(
    model: keras.Model,
    interpreter: Interpreter,
    signature: str,
    batches: Iterable[Any],
    probes: ProductProbes,
) -> tuple[OutputError, ...]:
    runner = interpreter.get_signature_runner(signature)
    details = runner.get_input_details()
    first = details[model.input_names[0]]["shape_signature"]
    size = int(first[0]) if len(first) and first[0] > 0 else None
    expected: dict[str, list[Array]] = {name: [] for name in model.output_names}
    found: dict[str, list[Array]] = {name: [] for name in model.output_names}
    for batch in batches:
        arrays = {
            name: np.asarray(value, details[name]["dtype"])
            for name, value in zip(model.input_names, inputs_of_call(model, batch), strict=True)
        }
        for name, array in arrays.items():
            _require_shape(name, array.shape, tuple(map(int, details[name]["shape_signature"])))
        for part in _parts(arrays, size):
            got = probes.check(runner(**part))
            x = tf.nest.pack_sequence_as(model.input, [part[name] for name in model.input_names])
            wanted = tf.nest.flatten(model(x, training=False))
            for name, value in zip(model.output_names, wanted, strict=True):
                expected[name].append(np.asarray(value))
                found[name].append(got[name])
    require(bool(found[model.output_names[0]]), f"{signature}: takes batches of {size}: give more")
    return tuple(_output(name, expected[name], found[name]) for name in model.output_names)


def _require_shape(name: str, given: tuple[int, ...], taken: tuple[int, ...]) -> None:
    """Raise `UserError` unless an input fits a file, where -1 takes any size."""
    sizes = zip(given[1:], taken[1:], strict=False)
    fits = len(given) == len(taken) and all(wants in (-1, has) for has, wants in sizes)
    require(fits, f"input {name}: has the shape {given}, and the file takes {taken}")


def _parts(batch: dict[str, Array], size: int | None) -> Iterator[dict[str, Array]]:
    """Parts of a batch of as many rows as the signature takes; what is left over is not used."""
    rows = min(len(array) for array in batch.values())
    step = size or rows
    for start in range(0, rows - step + 1, step):
        yield {name: array[start : start + step] for name, array in batch.items()}


def _output(name: str, expected: list[Array], found: list[Array]) -> OutputError:
    wanted, got = np.concatenate(expected), np.concatenate(found)
    spread = max(float(wanted.max() - wanted.min()), SMALLEST)
    return OutputError(name, len(wanted), float(np.abs(got - wanted).max()) / spread)
