"""What stands beside a transducer: its beam search, and a CTC model on the same recordings."""

from pathlib import Path

from asr_qat import files
from asr_qat.corpora.utterance import Utterance
from asr_qat.models.model_directory import Recogniser
from tflite_export.convert.convert import convert_recogniser
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score import evaluate
from tflite_export.score.rows import ScoredFile, combine

BEAM = 8  # hypotheses


def beam_rows(
    recognisers: dict[str, TFLiteRecogniser],
    items: list[Utterance],
    baseline: evaluate.Run,
    quiet: bool,
) -> list[ScoredFile]:
    """A row for each transducer by name, searched with a beam; differences are to `baseline`."""
    rows = []
    for name, device in recognisers.items():
        result = evaluate.run(device, items, quiet, beam=BEAM)
        rows.append(row(f"{name}, beam {BEAM}", device, items, result, baseline))
    return rows


def ctc_row(
    model: Path,
    seconds: tuple[float, ...],
    work: Path,
    items: list[Utterance],
    baseline: evaluate.Run,
    threads: int,
    quiet: bool,
) -> ScoredFile:
    """The float32 `.tflite` of a CTC model directory, with signatures of these lengths."""
    path = work / "ctc_float32.tflite"
    files.write_bytes(path, convert_recogniser(Recogniser.load(model), None, seconds))
    device = TFLiteRecogniser(path, threads)
    result = evaluate.run(device, items, quiet)
    return row("CTC float32", device, items, result, baseline)


def row(
    name: str,
    device: TFLiteRecogniser,
    items: list[Utterance],
    result: evaluate.Run,
    baseline: evaluate.Run,
) -> ScoredFile:
    """Size, error rates, their difference to the baseline's, speed and memory of a run."""
    longest = float(result.audio_seconds.max())
    return combine(
        ScoredFile,
        evaluate.describe(device),
        evaluate.summarize(result, items, device.threads),
        evaluate.difference(result, baseline, items),
        name=name,
        peak_rss_mb=evaluate.peak_rss_mb(device.path, longest, device.threads),
    )
