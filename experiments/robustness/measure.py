"""Score a file on changed recordings."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from asr_qat.audio.decode import read_audio
from asr_qat.corpora.utterance import Utterance
from asr_qat.progress import progress
from experiments.robustness.rows import ChangedRow, ModelRow
from tflite_export.runtime.transcriber import Transcriber, load
from tflite_export.score.statistics import interval, word_errors

# Gain in dB and offset as a share of full scale.
CHANGES = (
    *((gain_db, 0.0) for gain_db in (-30.0, -20.0, -10.0, 6.0)),
    *((0.0, offset) for offset in (0.01, 0.02, 0.05, 0.1)),
    (-30.0, 0.1),
)
CLICK_MS = 5.0  # of full scale, in place of the first samples


def measure(path: Path, items: Sequence[Utterance], quiet: bool = False) -> ModelRow:
    """The word error rates of a `.tflite` file of any kind, on one thread."""
    model = load(path)
    audio = [read_audio(item.audio_path, model.sample_rate) for item in items]
    references = [item.text for item in items]
    plain = [model.transcribe(samples) for samples in audio]

    def row(gain_db: float, offset: float, changed: Iterable[np.ndarray]) -> ChangedRow:
        texts = [model.transcribe(samples) for samples in changed]
        return ChangedRow(
            gain_db=gain_db,
            offset=offset,
            wer=word_errors(references, texts).rate,
            texts_changed=sum(a != b for a, b in zip(plain, texts, strict=True)),
        )

    rows = [
        row(gain_db, offset, (_changed(samples, gain_db, offset) for samples in audio))
        for gain_db, offset in progress(CHANGES, path.stem, len(CHANGES), quiet=quiet)
    ]
    click = round(CLICK_MS / 1000 * model.sample_rate)
    errors = word_errors(references, plain)
    return ModelRow(
        name=path.stem,
        kind=_kind(model),
        precision=model.recogniser.metadata.precision,
        utterances=len(items),
        words=int(errors.lengths.sum()),
        wer=errors.rate,
        wer_ci=interval(errors),
        changed=tuple(rows),
        clicked=row(0.0, 0.0, (_clicked(samples, click) for samples in audio)),
    )


def _changed(audio: np.ndarray, gain_db: float, offset: float) -> np.ndarray:
    return (audio * 10 ** (gain_db / 20) + offset).astype(np.float32)


def _clicked(audio: np.ndarray, samples: int) -> np.ndarray:
    return np.concatenate([np.ones(samples, np.float32), audio[samples:]])


def _kind(model: Transcriber) -> str:
    if model.recogniser.live:
        return "live"
    return "CTC" if model.recogniser.steps is None else "transducer"
