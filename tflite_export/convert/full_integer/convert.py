"""From a recogniser to a `.tflite` without a float tensor."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from ai_edge_litert.tools import flatbuffer_utils
from tensorflow import keras

from asr_qat import files
from asr_qat.corpora.utterance import Utterance
from asr_qat.errors import UserError, require
from asr_qat.models.ctc import CTC
from asr_qat.models.model_directory import Recogniser
from asr_qat.training.calibrated import Calibration, recording_features
from tflite_export.convert.bake import bake, layers_in_file
from tflite_export.convert.convert import (
    DEFAULT_SECONDS,
    convert_labelled,
    finish,
    metadata_of,
    signature_frames,
)
from tflite_export.convert.file_weights import at_precision, float_kernels
from tflite_export.convert.full_integer.calibrate import activation_ranges
from tflite_export.convert.full_integer.graph import integer_model
from tflite_export.convert.full_integer.quantize import quantize_all
from tflite_export.convert.full_integer.targets import (
    GENERIC,
    MICROCONTROLLERS,
    check_target,
    chosen_lengths,
    signature_name,
)
from tflite_export.convert.labels import merged_factors
from tflite_export.convert.pack import write_floats
from tflite_export.convert.stand_ins import stand_in_model

ACTIVATION_BITS = (8, 16)


def convert_calibrated(
    model_dir: str | Path,
    output: str | Path,
    activation_bits: int,
    calibration: Calibration,
    precision: str | None = None,
    seconds: tuple[float, ...] = DEFAULT_SECONDS,
    quiet: bool = False,
    target: str = GENERIC,
    signature: str | None = None,
    names: bool = True,
) -> None:
    """Write the full-integer `.tflite` of a model directory.

    Args:
        model_dir: a CTC model, float or quantized in training.
        output: file to write.
        activation_bits: 8 or 16.
        calibration: speech that the ranges are measured on.
        precision: of the weights, see `tflite_export.convert.convert.convert`.
        seconds: lengths of the signatures, see there.
        quiet: without progress.
        target: what is to run it, see `targets`.
        signature: see `convert_full_integer`.
        names: of all tensors, see `convert`.

    Raises:
        UserError: as `convert_full_integer` and `convert`; no such data.
    """
    check_target(target, activation_bits)
    utterances = calibration.recordings()
    recogniser = Recogniser.load(model_dir)
    chosen_lengths(target, signature_frames(recogniser, seconds), signature)
    recogniser = at_precision(recogniser, precision, str(model_dir), calibration)
    content = convert_full_integer(
        recogniser, activation_bits, utterances, seconds, quiet, target, signature, names
    )
    files.write_bytes(output, content)


def convert_full_integer(
    recogniser: Recogniser,
    activation_bits: int,
    utterances: Sequence[Utterance],
    seconds: tuple[float, ...] = DEFAULT_SECONDS,
    quiet: bool = False,
    target: str = GENERIC,
    signature: str | None = None,
    names: bool = True,
) -> bytes:
    """The bytes of a `.tflite` in which every tensor is an integer.

    Weights are the trained integers, those of layers that were not quantized have 8 bits;
    biases are int32, or int64 with activations of 16 bits. Ranges of activations that were
    fixed in training are kept, the others are measured. The signatures `encode_FRAMES` take
    `features` and a `mask` of the valid frames, `[1, FRAMES]`, both quantized, and give
    quantized `logits`; their scales are in the file.

    Args:
        recogniser: a CTC model, float or quantized.
        activation_bits: 8 or 16.
        utterances: whose activations set the ranges.
        seconds: lengths of the signatures, see `tflite_export.convert.convert.convert`.
        quiet: without progress.
        target: what is to run it, see `targets`.
        signature: the one signature of a file for a microcontroller; None: the shortest.
        names: of all tensors, see `tflite_export.convert.convert.convert`.

    Raises:
        UserError: a transducer, another width of activations, weights that integer kernels do
            not multiply, no speech to calibrate on, a length that cannot be, an unknown target
            or one that does not go with the rest.
    """
    require(
        isinstance(recogniser.config.kind, CTC),
        "full-integer files exist for CTC models only: this is a transducer",
    )
    require(
        activation_bits in ACTIVATION_BITS,
        f"full-integer activations of {activation_bits} bits: expected 8 or 16",
    )
    check_target(target, activation_bits)
    context = recogniser.config.encoder.attention_context
    if isinstance(context, tuple):
        raise UserError(
            f"attention_context: {list(context)}: full-integer files have as many frames on "
            "either side"
        )
    frames = chosen_lengths(target, signature_frames(recogniser, seconds), signature)
    layers = bake(layers_in_file(recogniser))
    for name, layer in layers.items():
        require(
            layer.precision.block is None,
            f"{name}: {layer.precision.name}: integer kernels have no scales of blocks: train "
            "without -b for a full-integer file",
        )
        require(
            layer.axis == 0,
            f"{name}: {layer.precision.name}: a full-integer file quantizes depthwise convolutions "
            "itself: train without this override",
        )
    features = _features(recogniser, utterances)
    model = stand_in_model(recogniser, layers)
    functions, weights = {}, []
    for length in frames:
        copy = integer_model(model, length, context)
        functions[signature_name(length)] = _encode(copy)
        weights += copy.weights
    converted, factors = convert_labelled(functions, weights, copy), merged_factors(copy)
    baked = {name: (layer.integers.T * layer.scale) for name, layer in layers.items()}
    write_floats(converted, baked | float_kernels(recogniser, layers), factors)
    labelled = bytes(flatbuffer_utils.convert_object_to_bytearray(converted))
    ranges = activation_ranges(labelled, features, quiet)
    whole_bytes = target in MICROCONTROLLERS
    integers = quantize_all(labelled, layers, factors, ranges, activation_bits, whole_bytes)
    metadata = metadata_of(recogniser, layers, activation_bits)
    return finish(integers, metadata, copy if names else None)


def _encode(model: keras.Model):
    """The function of a signature."""

    def encode(features, mask):
        return {"logits": model([features, mask], training=False)}

    specs = [tf.TensorSpec(i.shape, name=i.name) for i in model.inputs]
    return tf.function(encode, autograph=False).get_concrete_function(*specs)


def _features(recogniser: Recogniser, utterances: Sequence[Utterance]) -> list[np.ndarray]:
    """Normalised features `[frames, mel_bins]` of each utterance that is not too short."""
    rate = recogniser.config.front_end.sample_rate
    heard = [recording_features(recogniser, item.read(rate)) for item in utterances]
    found = [features for features in heard if len(features)]
    require(bool(found), "no speech to calibrate on: give recordings")
    return found
