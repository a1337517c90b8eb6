"""One cell of a study: train, export, score, write its file."""

import contextlib
import dataclasses
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from asr_qat import files
from asr_qat.corpora.recordings import recordings
from asr_qat.corpora.utterance import Utterance
from asr_qat.models.model_directory import Recogniser
from asr_qat.models.summary import summarize, total
from asr_qat.provenance import provenance
from asr_qat.quantize.precision import FLOAT
from asr_qat.training.quantized import post_training
from asr_qat.training.run import train
from experiments.study.cells import Cell
from experiments.study.keras_run import keras_run
from experiments.study.scheme_name import describe
from tflite_export.convert.convert import convert_recogniser, trained_method
from tflite_export.convert.full_integer.convert import calibration_utterances, convert_full_integer
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score import evaluate
from tflite_export.score.compare import compare
from tflite_export.score.statistics import word_errors

TRAINED = "trained.json"  # in a model directory whose training is finished: its fingerprint
AGREEMENT = ("max_logit_diff", "median_logit_diff")  # of all splits
DETAILS = ("hypotheses", "keras_hypotheses")  # of a split, not among the figures

Items = dict[str, list[Utterance]]
Seconds = dict[str, float]


def run_cell(cell: Cell, fingerprint: dict[str, Any], output: Path) -> dict[str, Any]:
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
    seconds: dict[str, float] = {}
    with _timed("train", seconds):
        source = trained(cell, fingerprint)
    if cell.method == "ptq":
        assert cell.quantization is not None
        with _timed("quantize", seconds):
            source = post_training(source, cell.quantization, cell.training.data)
    items = {split: recordings(cell.training.data, split) for split in cell.splits}
    description = describe(cell.quantization)
    if cell.full_integer is not None:
        description["activations"] = f"{cell.full_integer} everywhere"
    score = _score_file if description["executed_on_device"] else _score_keras
    figures = score(cell, source, items, seconds)
    content = {
        "name": cell.name,
        "variant": cell.variant,
        "groups": cell.groups,
        "baseline": cell.baseline,
        "precision": cell.quantization.precision if cell.quantization else FLOAT,
        "method": trained_method(source),
        **description,
        "full_integer": cell.full_integer,
        "seed": cell.training.seed,
        "steps": cell.training.steps,
        **{k: v for k, v in figures["splits"][cell.splits[0]].items() if k not in DETAILS},
        **figures,
        "seconds": seconds,
        "provenance": provenance(cell.training.seed),
        "fingerprint": fingerprint,
    }
    files.write_json(output, content)
    return content


def trained(cell: Cell, fingerprint: dict[str, Any]) -> Recogniser:
    """The recogniser of the cell's training, which is done or gone on with if need be.

    Its checkpoints are removed when it is finished.
    """
    marker = cell.model / TRAINED
    what = {key: fingerprint[key] for key in ("training", "start", "corpus")}
    if cell.training.quantization is not None:
        what["quantization"] = fingerprint["quantization"]
    if marker.is_file() and files.read_json(marker) == what:
        return Recogniser.load(cell.model)
    marker.unlink(missing_ok=True)
    recogniser = train(cell.training, quiet=True)
    files.write_json(marker, what)
    shutil.rmtree(cell.model / "checkpoints")
    return recogniser


def _convert(cell: Cell, source: Recogniser) -> bytes:
    if cell.full_integer is None:
        return convert_recogniser(source, None, cell.seconds, str(cell.model))
    heard = calibration_utterances(cell.training.data)
    bits = int(cell.full_integer.removeprefix("int"))
    return convert_full_integer(source, bits, heard, cell.seconds, quiet=True)


def _score_file(cell: Cell, source: Recogniser, items: Items, seconds: Seconds) -> dict[str, Any]:
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
    return {
        "bytes": len(content),
        **{key: getattr(agreement, key) for key in AGREEMENT},
        "splits": _by_split(items, result, other, device.threads),
    }


def _score_keras(cell: Cell, source: Recogniser, items: Items, seconds: Seconds) -> dict[str, Any]:
    """Score the Keras model alone; the bytes are those that its weights would take."""
    everything = [item for part in items.values() for item in part]
    with _timed("score", seconds):
        result = keras_run(source, everything)
    splits = _by_split(items, result, {}, 1)
    for figures in splits.values():
        figures |= {"rtf": None, "latency_ms": None, "threads": None}
    return {
        "bytes": total(summarize(source.model)).bytes,
        **dict.fromkeys(AGREEMENT),
        "splits": splits,
    }


def _by_split(
    items: Items, result: evaluate.Run, other: dict[str, str], threads: int
) -> dict[str, dict[str, Any]]:
    splits, start = {}, 0
    for split, part in items.items():
        end = start + len(part)
        splits[split] = _figures(part, _slice(result, start, end), other, threads)
        start = end
    return splits


def _slice(result: evaluate.Run, start: int, end: int) -> evaluate.Run:
    """The part of a run that is one split."""
    parts = {
        field.name: getattr(result, field.name)[start:end] for field in dataclasses.fields(result)
    }
    return evaluate.Run(**parts)


def _figures(
    items: list[Utterance], result: evaluate.Run, other: dict[str, str], threads: int
) -> dict[str, Any]:
    """Figures and hypotheses of one split.

    Args:
        items: its utterances.
        result: what was recognised.
        other: hypothesis of the Keras model, where it is another one, by utterance.
        threads: CPU threads.
    """
    references = [item.text for item in items]
    keras = [other.get(item.id, text) for item, text in zip(items, result.hypotheses, strict=True)]
    return {
        **dataclasses.asdict(evaluate.summarize(result, items, threads)),
        "keras_wer": word_errors(references, keras).rate,
        "keras_hypotheses": {item.id: other[item.id] for item in items if item.id in other},
        "hypotheses": result.hypotheses,
    }


@contextlib.contextmanager
def _timed(stage: str, seconds: dict[str, float]) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[stage] = round(time.monotonic() - started, 1)
