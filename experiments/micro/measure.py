"""Make a file for microcontrollers, run it in TFLM, compile it with Vela."""

import importlib.metadata
from pathlib import Path

import numpy as np

from asr_qat.corpora.recordings import recordings
from asr_qat.corpora.utterance import Utterance
from asr_qat.errors import require
from asr_qat.progress import progress
from asr_qat.provenance import Provenance
from asr_qat.training.calibrated import Calibration
from experiments.micro.kernels import differing_kernels
from experiments.micro.rows import MicroResults
from experiments.micro.tflm import TFLMSignatures, arena_bytes, runtime
from experiments.micro.vela import SYSTEMS, compiled
from tflite_export.convert.full_integer.convert import convert_calibrated
from tflite_export.convert.full_integer.targets import ETHOS_U
from tflite_export.runtime.integers import quantized
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score.statistics import word_errors

COMPARED = 3  # utterances whose every operator is compared


def measure(
    model: Path, data: Path, split: str, seconds: float, most: int, work: Path, quiet: bool
) -> MicroResults:
    """Everything but the targets.

    Args:
        model: directory of a CTC model.
        data: prepared folder: its training split calibrates.
        split: of it that is recognised.
        seconds: of the signature.
        most: utterances of those that fit.
        work: folder for the files.
        quiet: no progress.

    Raises:
        UserError: a package that is not installed, no utterance that fits, or as of `convert`.
    """
    runtime()  # say early that it is missing
    path = work / "micro.tflite"
    calibration = Calibration(str(data), quiet=quiet)
    convert_calibrated(model, path, 8, calibration, None, (seconds,), quiet, target=ETHOS_U)
    content = path.read_bytes()
    npus = [
        compiled(path, name, work / name)
        for name in progress(SYSTEMS, "vela", len(SYSTEMS), "accelerator", quiet)
    ]
    litert, tflm = TFLiteRecogniser(path), TFLiteRecogniser(path)
    tflm.signatures = TFLMSignatures(content, litert.signatures)
    items = _fitting(litert, recordings(data, split), most)
    heard = [litert.features(item.read(litert.metadata.front_end.sample_rate)) for item in items]
    pairs = [
        (litert.encode(features), tflm.encode(features))
        for features in progress(heard, "tflm", len(heard), "utterance", quiet)
    ]
    texts = [[_text(one, litert), _text(other, litert)] for one, other in pairs]
    references = [item.text for item in items]
    (name,) = litert.signatures.names()
    (scale, _) = litert.signatures.outputs(name)["logits"]["quantization"]
    steps = np.concatenate([np.abs(one - other).reshape(-1) for one, other in pairs]) / scale
    return MicroResults(
        **vars(Provenance.of_this_run(0)),
        model=model.name,
        precision=litert.metadata.precision,
        seconds=seconds,
        file_bytes=len(content),
        data=f"{data.name} ({split})",
        utterances=len(items),
        tflm=importlib.metadata.version("tflite-micro"),
        vela=importlib.metadata.version("ethos-u-vela"),
        arena_bytes=arena_bytes(content),
        same_texts=sum(one == other for one, other in texts),
        same_logits=float((steps < 0.5).mean()),
        most_steps=round(float(steps.max())),
        litert_wer=word_errors(references, [one for one, _ in texts]).rate,
        tflm_wer=word_errors(references, [other for _, other in texts]).rate,
        kernels=differing_kernels(content, [_inputs(litert, each) for each in heard[:COMPARED]]),
        npus=tuple(npus),
    )


def _fitting(recogniser: TFLiteRecogniser, items: list[Utterance], most: int) -> list[Utterance]:
    """The first utterances that the signature holds."""
    front_end = recogniser.metadata.front_end
    longest = recogniser.lengths[-1]
    found = [
        item
        for item in items
        if 0 < front_end.frames(len(item.read(front_end.sample_rate))) <= longest
    ]
    require(bool(found), "no utterance fits in the signature: give --seconds")
    return found[:most]


def _text(encoded: np.ndarray, recogniser: TFLiteRecogniser) -> str:
    from asr_qat.decoding.recognition import recognise_ctc

    return recogniser.metadata.tokenizer.decode(recognise_ctc(encoded).tokens)


def _inputs(recogniser: TFLiteRecogniser, features: np.ndarray) -> dict[str, np.ndarray]:
    """What the signature takes, for features `[frames, mel_bins]`."""
    (name,), (length,) = recogniser.signatures.names(), recogniser.lengths
    details = recogniser.signatures.inputs(name)
    padded = np.zeros((1, length, features.shape[1]), np.float32)
    padded[0, : len(features)] = features
    mask = (np.arange(length) < len(features)).astype(np.float32)[None]
    return {
        "features": quantized(padded, details["features"]),
        "mask": quantized(mask, details["mask"]),
    }
