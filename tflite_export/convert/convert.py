"""From a model directory to one `.tflite` file."""

import dataclasses
from pathlib import Path

import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from tensorflow import keras

from asr_qat import files
from asr_qat.errors import UserError, require
from asr_qat.models.model_directory import Recogniser
from asr_qat.quantize.precision import FLOAT
from asr_qat.training.calibrated import Calibration
from tflite_export.convert.bake import BakedLayer
from tflite_export.convert.converter import flatbuffer_of
from tflite_export.convert.file_weights import FileWeights, weights_of, weights_of_directory
from tflite_export.convert.labels import (
    Functions,
    check_complete,
    label_products,
    merged_factors,
    output_operations,
)
from tflite_export.convert.own_kernels import separate_kernels
from tflite_export.convert.pack import pack, write_floats
from tflite_export.convert.serialize import attach_metadata, serialize
from tflite_export.convert.tensor_names import name_tensors, strip_names
from tflite_export.runtime.metadata import Metadata

DEFAULT_SECONDS = (4.0, 16.0)  # utterance lengths of the signatures
CHUNKS = (1, 3)  # encoded frames of a live model's steps: 40 and 120 ms
LEAST_SECONDS = 0.1  # a shorter window could not be moved along an utterance
MOST_SECONDS = 3600.0
MOST_BYTES = 2**31 - 2**24  # of weights in a flatbuffer: some room is left for the graph


def convert(
    model_dir: str | Path,
    output: str | Path,
    precision: str | None = None,
    seconds: tuple[float, ...] | None = None,
    calibration: Calibration | None = None,
    names: bool = True,
) -> None:
    """Write the `.tflite` of a model directory.

    Args:
        model_dir: float, or quantized in training.
        output: file to write.
        precision: `float`, or a quantized precision or policy by name. A float model is
            quantized after training; of a model trained quantized it must be the trained one.
            None: as trained.
        seconds: utterance lengths that get a signature of their own (None:
            `DEFAULT_SECONDS`). An utterance is padded to the next one; a longer utterance than
            the last is cut into windows. A live model takes none: it has signatures of chunks
            instead, see `asr_qat.models.live_signatures`.
        calibration: speech for which the weights of a float model are rounded, and in which static
            ranges of activations are found; None: to the nearest integers.
        names: of all tensors, as other software than LiteRT needs them; else of products alone.

    Raises:
        UserError: no such model, a precision that it was not trained for, speech that cannot be
            read or where nothing is to be rounded, or a length that is not in `LEAST_SECONDS` to
            `MOST_SECONDS`, or is one of a live model.
    """
    sizes = _signature_sizes(Recogniser.load_without_model(model_dir), seconds)
    weights = weights_of_directory(model_dir, precision, calibration)
    files.write_bytes(output, _converted(weights, sizes, str(model_dir), names))


def convert_recogniser(
    recogniser: Recogniser,
    precision: str | None = None,
    seconds: tuple[float, ...] | None = None,
    where: str = "model",
    calibration: Calibration | None = None,
    names: bool = True,
) -> bytes:
    """The bytes of the `.tflite`; see `convert`."""
    sizes = _signature_sizes(recogniser, seconds)
    return _converted(weights_of(recogniser, precision, where, calibration), sizes, where, names)


def _converted(weights: FileWeights, sizes: tuple[int, ...], where: str, names: bool) -> bytes:
    recogniser, layers, model = weights.recogniser, weights.layers, weights.model
    kind = recogniser.config.kind
    _require_room(layers, weights.kernels, where)
    functions = kind.signatures(model, sizes)
    metadata = metadata_of(recogniser, layers)
    metadata = dataclasses.replace(metadata, live=kind.live_format(model, sizes))
    converted, factors = convert_labelled(functions, model.weights, model), merged_factors(model)
    write_floats(converted, weights.kernels, factors)
    pack(converted, layers, factors)
    return finish(converted, metadata, model if names else None)


def _signature_sizes(recogniser: Recogniser, seconds: tuple[float, ...] | None) -> tuple[int, ...]:
    """Feature frames of the signatures, or encoded frames of a live model's steps."""
    streams = recogniser.config.kind.streams
    require(not (streams and seconds), "--seconds: a live model takes audio of any length")
    frames = tuple(signature_frames(recogniser, seconds or DEFAULT_SECONDS))
    return CHUNKS if streams else frames


def signature_frames(recogniser: Recogniser, seconds: tuple[float, ...]) -> list[int]:
    """Feature frames of utterances of these lengths, ascending.

    Raises:
        UserError: a length that is not in `LEAST_SECONDS` to `MOST_SECONDS`.
    """
    for length in seconds:
        if not LEAST_SECONDS <= length <= MOST_SECONDS:
            raise UserError(
                f"a signature of {length} s: expected {LEAST_SECONDS} to {MOST_SECONDS} s"
            )
    front_end = recogniser.config.front_end
    return [front_end.frames(round(s * front_end.sample_rate)) for s in sorted(seconds)]


def metadata_of(
    recogniser: Recogniser, layers: dict[str, BakedLayer], full_integer: int | None = None
) -> Metadata:
    """What the file tells of itself, see `Metadata`."""
    quantization, transducer = recogniser.config.quantization, recogniser.config.transducer
    return Metadata(
        precision=quantization.precision if quantization else FLOAT,
        method=trained_method(recogniser),
        front_end=recogniser.config.front_end,
        mean=recogniser.mean,
        std=recogniser.std,
        tokenizer=recogniser.tokenizer,
        layers={name: layer.precision.name for name, layer in layers.items()},
        full_integer=full_integer,
        durations=transducer.durations if transducer else (),
        subsampling_factor=recogniser.config.encoder.subsampling_factor,
        source=recogniser.config.source,
        normalizer=recogniser.config.normalizer,
    )


def _require_room(
    layers: dict[str, BakedLayer], kernels: dict[str, np.ndarray], where: str
) -> None:
    """Raise `UserError` if a flatbuffer does not hold the weights."""
    needed = sum(layer.packed.nbytes for layer in layers.values())
    needed += sum(kernel.nbytes for kernel in kernels.values())
    require(
        needed < MOST_BYTES,
        f"{where}: {needed / 1e9:.1f} GB of weights, and a .tflite file holds "
        f"{MOST_BYTES / 1e9:.1f}: quantize them, with --precision w4a8 say",
    )


def finish(model: schema.ModelT, metadata: Metadata, named_by: keras.Model | None = None) -> bytes:
    """The file with its metadata, without vectors that it can do without.

    Args:
        model: whose products are labelled.
        metadata: see there.
        named_by: the model with the layers that tensors are named after; None: only products
            have names.
    """
    if named_by is None:
        strip_names(model)
    else:
        name_tensors(model, {layer.name for layer in named_by.layers})
    attach_metadata(model, metadata)
    return serialize(model)


def trained_method(recogniser: Recogniser) -> str:
    """`float`, `ptq`, `fake-qat` or `native-qat`."""
    trained = recogniser.config.quantization
    if trained is None:
        return FLOAT
    return trained.mode if trained.mode == "ptq" else f"{trained.mode}-qat"


def convert_labelled(
    functions: Functions, weights: list[tf.Variable], model: keras.Model
) -> schema.ModelT:
    """A flatbuffer with a signature for each function; its products are labelled.

    Each has a kernel of its own, which is still empty.

    Args:
        functions: by name.
        weights: that they read; those that several read are stored once.
        model: the model with the layers' names, and stand-ins for their kernels or these.

    Raises:
        UserError: the disk is full.
    """
    converted = flatbuffer_of(functions, weights)
    label_products(converted, model, output_operations(converted, functions))
    check_complete(converted, model, functions)
    separate_kernels(converted)
    return converted
