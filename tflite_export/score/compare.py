"""Is the `.tflite` the Keras model? Logits and hypotheses over a whole test set."""

from pathlib import Path

import numpy as np

from asr_qat.corpora.utterance import Utterance
from asr_qat.decoding.recognition import Recognition
from asr_qat.errors import UserError
from asr_qat.models.keras_decoder import Decoder
from asr_qat.models.model_directory import Recogniser
from asr_qat.progress import progress
from asr_qat.training.quantized import post_training
from tflite_export.convert.bake import layers_in_file
from tflite_export.convert.convert import trained_method
from tflite_export.runtime.metadata import Metadata
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score.evaluate import Run
from tflite_export.score.rows import Comparison, LogitPair, Parting

PERTURBATION = 1e-7  # relative change of the features: about one unit in the last place


def keras_recognitions(
    recogniser: Recogniser,
    device: TFLiteRecogniser,
    items: list[Utterance],
    perturbation: float = 0.0,
    quiet: bool = False,
    decoder: Decoder | None = None,
) -> list[Recognition]:
    """What the Keras model finds in the device's own features; `decoder`: of it, if not its own."""
    decoder = decoder or recogniser.decoder()
    rate = device.metadata.front_end.sample_rate
    classes = device.metadata.tokenizer.blank + 1
    result = []
    for item in progress(items, "Keras", len(items), quiet=quiet):
        features = device.features(item.read(rate)) * np.float32(1 + perturbation)
        if len(features):
            (encoded,) = decoder.encode(features[None], [len(features)])
            result.append(decoder.recognise(encoded))
        else:  # shorter than one window of the front end
            result.append(Recognition([], np.zeros((0, classes), np.float32)))
    return result


def compare(
    recogniser: Recogniser,
    device: TFLiteRecogniser,
    items: list[Utterance],
    result: Run,
    quiet: bool = False,
    floor: bool = True,
) -> Comparison:
    """Differences between a file's run and its Keras model on the same recordings.

    With int8 activations a difference in the last bit of a float moves an activation that
    sits on a rounding edge to its other side, and from there through the layers. How far is
    measured on the Keras model alone: `rounding_floor` is its median logit difference to
    itself when all features change by `PERTURBATION`; not without `floor`, which halves the time.
    """
    tokenizer = device.metadata.tokenizer
    tokens = tokenizer.blank + 1
    expected = keras_recognitions(recogniser, device, items, quiet=quiet)
    different = []
    for item, keras, tflite, text in zip(
        items, expected, result.logits, result.hypotheses, strict=True
    ):
        keras_text = tokenizer.decode(keras.tokens)
        if keras_text != text:
            different.append(_parting(item, keras.logits, tflite, keras_text, text, tokens))
    pairs = _comparable(expected, result.logits, tokens)
    rounding_floor = None
    if floor:
        perturbed = keras_recognitions(recogniser, device, items, PERTURBATION, quiet=quiet)
        others = [other.logits for other in perturbed]
        rounding_floor = _median(_comparable(expected, others, tokens))
    return Comparison(
        identical_hypotheses=1 - len(different) / len(items),
        max_logit_diff=float(max(np.abs(a - b).max(initial=0) for a, b in pairs)),
        median_logit_diff=_median(pairs),
        rounding_floor=rounding_floor,
        different=tuple(different),
    )


def _comparable(expected: list[Recognition], others: list[np.ndarray], tokens: int) -> list[tuple]:
    """Pairs of logits of the same step: up to that in which two searches part.

    With CTC no step depends on the one before; with a transducer all do.
    """
    pairs = []
    for recognition, other in zip(expected, others, strict=True):
        logits = recognition.logits
        if len(logits) == len(other) and not recognition.dependent:
            pairs.append((logits, other))
            continue
        steps = min(len(logits), len(other))
        parted = _best(logits[:steps], tokens) != _best(other[:steps], tokens)
        parted = parted.any(axis=-1)
        steps = int(np.argmax(parted)) + 1 if parted.any() else steps
        pairs.append((logits[:steps], other[:steps]))
    return pairs


def _median(pairs) -> float:
    differences = np.concatenate([np.abs(a - b).ravel() for a, b in pairs])
    return float(np.median(differences)) if len(differences) else 0.0


def _best(logits: np.ndarray, tokens: int) -> np.ndarray:
    """The best token of each step and, of logits with durations after them, the best of these.

    Args:
        logits: `[steps, classes]`.
        tokens: classes that are labels or the blank.

    Returns:
        Classes, int `[steps, 1]` or `[steps, 2]`.
    """
    best = [logits[:, :tokens].argmax(-1)]
    if logits.shape[1] > tokens:
        best.append(tokens + logits[:, tokens:].argmax(-1))
    return np.stack(best, axis=-1)


def _parting(
    item: Utterance, keras, tflite, keras_text: str, tflite_text: str, tokens: int
) -> Parting:
    """The first step (with CTC: frame) whose best classes differ, with the logits of both."""
    steps = min(len(keras), len(tflite))
    ours, theirs = _best(keras[:steps], tokens), _best(tflite[:steps], tokens)
    frame = int(np.argmax((ours != theirs).any(axis=-1)))
    kind = int(np.argmax(ours[frame] != theirs[frame]))  # token or duration
    classes = sorted({int(ours[frame, kind]), int(theirs[frame, kind])})
    return Parting(
        id=item.id,
        reference=item.text,
        keras=keras_text,
        tflite=tflite_text,
        frame=frame,
        logits={
            str(c): LogitPair(keras=float(keras[frame, c]), tflite=float(tflite[frame, c]))
            for c in classes
        },
    )


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
        recogniser = post_training(recogniser, metadata.precision)
    method = trained_method(recogniser)
    if method != metadata.method:
        raise UserError(f"{path}: a {method} model, but the file's is {metadata.method}")
    layers = layers_in_file(recogniser)
    if {name: layer.precision.name for name, layer in layers.items()} != metadata.layers:
        raise UserError(
            f"{path}: its layers have other precisions than those of the file, or the file was "
            "quantized with --calibration, for speech that the directory does not have"
        )
    return recogniser
