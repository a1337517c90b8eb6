"""Is the `.tflite` the Keras model? Logits and hypotheses over a whole test set."""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from asr_qat.audio.decode import read_audio
from asr_qat.corpora.utterance import Utterance
from asr_qat.decoding.greedy import greedy_ctc
from asr_qat.errors import UserError
from asr_qat.models.model_directory import Recogniser
from asr_qat.progress import progress
from asr_qat.quantize.post_training import post_training
from tflite_export.convert import layer_precisions, trained_method
from tflite_export.evaluate import Run
from tflite_export.metadata import Metadata
from tflite_export.recogniser import TFLiteRecogniser

PERTURBATION = 1e-7  # relative change of the features: about one unit in the last place


def keras_logits(
    recogniser: Recogniser,
    device: TFLiteRecogniser,
    items: list[Utterance],
    perturbation: float = 0.0,
    quiet: bool = False,
) -> list[np.ndarray]:
    """Logits `[frames, classes]` of the Keras model on the device's own features."""
    model = recogniser.model
    forward = tf.function(
        lambda features, lengths: model([features, lengths], training=False),
        autograph=False,
        input_signature=[
            tf.TensorSpec([1, None, device.metadata.front_end.mel_bins]),
            tf.TensorSpec([1], tf.int32),
        ],
    )
    rate = device.metadata.front_end.sample_rate
    result = []
    for item in progress(items, "Keras", len(items), quiet=quiet):
        features = device.features(read_audio(item.audio_path, rate)) * np.float32(1 + perturbation)
        if len(features):
            result.append(forward(features[None], [len(features)]).numpy()[0])
        else:  # shorter than one window of the front end
            result.append(np.zeros((0, model.output_shape[-1]), np.float32))
    return result


def compare(
    recogniser: Recogniser,
    device: TFLiteRecogniser,
    items: list[Utterance],
    result: Run,
    quiet: bool = False,
) -> dict[str, Any]:
    """Differences between a file's run and its Keras model on the same recordings.

    With int8 activations a difference in the last bit of a float moves an activation that
    sits on a rounding edge to its other side, and from there through the layers. How far is
    measured on the Keras model alone: `rounding_floor` is its median logit difference to
    itself when all features change by `PERTURBATION`.

    Returns:
        `identical_hypotheses` (share), `max_logit_diff`, `median_logit_diff`,
        `rounding_floor`, and `different`: the utterances with another hypothesis, with the
        logits of the first frame where the best classes part.
    """
    tokenizer = device.metadata.tokenizer
    expected = keras_logits(recogniser, device, items, quiet=quiet)
    perturbed = keras_logits(recogniser, device, items, PERTURBATION, quiet=quiet)
    different = []
    for item, keras, tflite, text in zip(
        items, expected, result.logits, result.hypotheses, strict=True
    ):
        keras_text = tokenizer.decode(greedy_ctc(keras, tokenizer.blank))
        if keras_text != text:
            different.append(_parting(item, keras, tflite, keras_text, text))
    return {
        "identical_hypotheses": 1 - len(different) / len(items),
        "max_logit_diff": float(
            max(np.abs(a - b).max(initial=0) for a, b in _pairs(expected, result))
        ),
        "median_logit_diff": _median(_pairs(expected, result)),
        "rounding_floor": _median(zip(expected, perturbed, strict=True)),
        "different": different,
    }


def _pairs(expected, result: Run):
    return zip(expected, result.logits, strict=True)


def _median(pairs) -> float:
    differences = np.concatenate([np.abs(a - b).ravel() for a, b in pairs])
    return float(np.median(differences)) if len(differences) else 0.0


def _parting(item: Utterance, keras, tflite, keras_text: str, tflite_text: str) -> dict:
    """The first frame whose best classes differ, with the logits of both."""
    frame = int(np.argmax(keras.argmax(-1) != tflite.argmax(-1)))
    classes = sorted({int(keras[frame].argmax()), int(tflite[frame].argmax())})
    return {
        "id": item.id,
        "reference": item.text,
        "keras": keras_text,
        "tflite": tflite_text,
        "frame": frame,
        "logits": {
            str(c): {"keras": float(keras[frame, c]), "tflite": float(tflite[frame, c])}
            for c in classes
        },
    }


def matching_model(path: str | Path, metadata: Metadata) -> Recogniser:
    """The Keras model that a file was made from.

    A float model is quantized here as it was for a file that was quantized after training.

    Args:
        path: model directory.
        metadata: the file's.

    Raises:
        UserError: another vocabulary, method or precision than the file's.
    """
    recogniser = Recogniser.load(path)
    if recogniser.tokenizer.proto != metadata.tokenizer.proto:
        raise UserError(f"{path}: its vocabulary is not that of the file")
    if recogniser.config.quantization is None and metadata.method == "ptq":
        recogniser, method = post_training(recogniser, metadata.precision), "ptq"
    else:
        method = trained_method(recogniser)
    if method != metadata.method:
        raise UserError(f"{path}: a {method} model, but the file's is {metadata.method}")
    layers = layer_precisions(recogniser.model, recogniser.config.quantization)
    if {name: layer.name for name, layer in layers.items()} != metadata.layers:
        raise UserError(f"{path}: its layers have other precisions than those of the file")
    return recogniser
