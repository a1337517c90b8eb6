"""One cell of a study: train, export, score, write its file."""

import contextlib
import dataclasses
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from asr_qat import files
from asr_qat.audio.front_end import log_mel, normalize
from asr_qat.corpora.recordings import recordings
from asr_qat.corpora.utterance import Utterance
from asr_qat.lock import NAME, locked
from asr_qat.models.model_directory import Recogniser
from asr_qat.models.summary import summarize, total
from asr_qat.provenance import Provenance
from asr_qat.quantize.precision import FLOAT
from asr_qat.training.calibrated import Calibration
from asr_qat.training.quantized import post_training
from asr_qat.training.run import train
from experiments.study.cell_rows import CellResult, Fingerprint, SplitTexts
from experiments.study.planned_cells import PlannedCell
from experiments.study.scheme import describe
from tflite_export.convert.convert import convert_recogniser, trained_method
from tflite_export.convert.full_integer.convert import convert_full_integer
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score import evaluate
from tflite_export.score.compare import compare
from tflite_export.score.statistics import word_errors

TRAINED = "trained.json"  # in a model directory whose training is finished: its fingerprint

Items = dict[str, list[Utterance]]
Seconds = dict[str, float]


@dataclasses.dataclass(frozen=True)
class _Score:
    """What scoring a cell gives; see `CellResult` for the attributes."""

    bytes: int
    splits: dict[str, SplitTexts]
    max_logit_diff: float | None = None
    median_logit_diff: float | None = None


def run_cell(cell: PlannedCell, fingerprint: Fingerprint, output: Path) -> CellResult:
    """Do what a cell needs, each step where it is not done, and write `output`.

    Args:
        cell: to run.
        fingerprint: of it.
        output: file of the result.

    Returns:
        What was written.

    Raises:
        UserError: bad configuration or data, or a training that fails.
    """
    seconds: Seconds = {}
    with _timed("train", seconds):
        source = trained(cell, fingerprint)
    if cell.method == "ptq":
        assert cell.quantization is not None
        with _timed("quantize", seconds):
            source = post_training(source, cell.quantization, cell.training.data)
    items = {split: recordings(cell.training.data, split) for split in cell.splits}
    scheme = describe(cell.quantization)
    if cell.full_integer is not None:
        scheme = dataclasses.replace(scheme, activations=f"{cell.full_integer} everywhere")
    score = (_score_file if scheme.executed_on_device else _score_keras)(
        cell, source, items, seconds
    )
    result = CellResult(
        name=cell.name,
        variant=cell.variant,
        groups=cell.groups,
        baseline=cell.baseline,
        precision=cell.quantization.precision if cell.quantization else FLOAT,
        method=trained_method(source),
        **dataclasses.asdict(scheme),
        full_integer=cell.full_integer,
        seed=cell.training.seed,
        steps=cell.training.steps,
        bytes=score.bytes,
        max_logit_diff=score.max_logit_diff,
        median_logit_diff=score.median_logit_diff,
        splits=score.splits,
        seconds=seconds,
        provenance=Provenance.of_this_run(cell.training.seed),
        fingerprint=fingerprint,
    )
    files.write_json(output, dataclasses.asdict(result))
    return result


def trained(cell: PlannedCell, fingerprint: Fingerprint) -> Recogniser:
    """The recogniser of the cell's training, which is run, or continued, if need be.

    Its checkpoints are removed when it is finished.
    """
    marker = cell.model / TRAINED
    what = {key: getattr(fingerprint, key) for key in ("training", "start", "corpus")}
    if cell.training.quantization is not None:
        what["quantization"] = fingerprint.quantization
    if marker.is_file() and files.read_json(marker) == what:
        return Recogniser.load(cell.model)
    marker.unlink(missing_ok=True)
    with locked(cell.model / NAME, any_host=True):
        pass  # of a worker that was killed on another machine: the study's lock keeps others out
    recogniser = train(cell.training, quiet=True, checksums=False)
    files.write_json(marker, what)
    shutil.rmtree(cell.model / "checkpoints")
    return recogniser


def _convert(cell: PlannedCell, source: Recogniser) -> bytes:
    if cell.full_integer is None:
        return convert_recogniser(source, None, cell.seconds, str(cell.model))
    heard = Calibration(cell.training.data).recordings()
    bits = int(cell.full_integer.removeprefix("int"))
    return convert_full_integer(source, bits, heard, cell.seconds, quiet=True)


def _score_file(cell: PlannedCell, source: Recogniser, items: Items, seconds: Seconds) -> _Score:
    """Export, score in LiteRT, and compare with the Keras model."""
    with _timed("export", seconds):
        content = _convert(cell, source)
        files.write_bytes(cell.file, content)
    everything = [item for part in items.values() for item in part]
    with _timed("score", seconds):
        device = TFLiteRecogniser(cell.file)
        result = evaluate.run(device, everything, quiet=True)
    with _timed("compare", seconds):
        agreement = compare(source, device, everything, result, quiet=True, floor=False)
    other = {each.id: each.keras for each in agreement.different}
    return _Score(
        len(content),
        _by_split(items, result, other, device.threads, source.config.normalizer),
        agreement.max_logit_diff,
        agreement.median_logit_diff,
    )


def _score_keras(cell: PlannedCell, source: Recogniser, items: Items, seconds: Seconds) -> _Score:
    """Score the Keras model alone; the bytes are those that its weights would take."""
    everything = [item for part in items.values() for item in part]
    with _timed("score", seconds):
        result = keras_run(source, everything)
    splits = {
        name: dataclasses.replace(split, rtf=None, latency_ms=None, threads=None)
        for name, split in _by_split(items, result, {}, 1, source.config.normalizer).items()
    }
    return _Score(total(summarize(source.model)).bytes, splits)


def keras_run(recogniser: Recogniser, items: list[Utterance]) -> evaluate.Run:
    """Recognise every recording with the device's front end and search, but the Keras model.

    Its `seconds` are zero: how long Keras takes says nothing of a device.
    """
    decoder = recogniser.decoder()
    front_end = recogniser.config.front_end
    result = evaluate.Run([], [], np.zeros(len(items)), np.zeros(len(items)))
    for i, item in enumerate(items):
        audio = item.read(front_end.sample_rate)
        mels = log_mel(audio, front_end)
        features = normalize(mels, front_end, recogniser.mean, recogniser.std)
        tokens = []
        if len(features):  # else shorter than one window of the front end
            (encoded,) = decoder.encode(features[None], [len(features)])
            tokens = decoder.recognise(encoded).tokens
        result.hypotheses.append(recogniser.tokenizer.decode(tokens))
        result.audio_seconds[i] = len(audio) / front_end.sample_rate
    return result


def _by_split(
    items: Items, result: evaluate.Run, other: dict[str, str], threads: int, normalizer: str
) -> dict[str, SplitTexts]:
    splits, start = {}, 0
    for split, part in items.items():
        end = start + len(part)
        splits[split] = _split_texts(part, _slice(result, start, end), other, threads, normalizer)
        start = end
    return splits


def _slice(result: evaluate.Run, start: int, end: int) -> evaluate.Run:
    """The part of a run that is one split."""
    parts = {
        field.name: getattr(result, field.name)[start:end] for field in dataclasses.fields(result)
    }
    return evaluate.Run(**parts)


def _split_texts(
    items: list[Utterance],
    result: evaluate.Run,
    other: dict[str, str],
    threads: int,
    normalizer: str,
) -> SplitTexts:
    """Scores and hypotheses of one split.

    Args:
        items: its utterances.
        result: what was recognised.
        other: hypothesis of the Keras model, where it differs, by utterance.
        threads: CPU threads.
        normalizer: name of that of the model.
    """
    references = [item.text for item in items]
    keras = [other.get(item.id, text) for item, text in zip(items, result.hypotheses, strict=True)]
    return SplitTexts(
        **vars(evaluate.summarize(result, items, threads, normalizer)),
        keras_wer=word_errors(references, keras).rate,
        keras_hypotheses={item.id: other[item.id] for item in items if item.id in other},
        hypotheses=tuple(result.hypotheses),
    )


@contextlib.contextmanager
def _timed(stage: str, seconds: Seconds) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[stage] = round(time.monotonic() - started, 1)
