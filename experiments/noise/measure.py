"""Score the files of a demo in noise."""

from collections.abc import Sequence
from pathlib import Path

from asr_qat.corpora.conditions import Condition, under
from asr_qat.corpora.noises import noise_named
from asr_qat.corpora.utterance import Utterance
from asr_qat.errors import require
from asr_qat.progress import progress
from experiments.demo.demo import FIRST, LONGER, TRAINED
from experiments.noise.rows import ALL, CLEAN, NoiseRow
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score.conditions import ONLY, Listener, listener
from tflite_export.score.statistics import ErrorCounts, interval, paired_interval, word_errors

NOISES = ("white", "pink", "babble")
SNR_DB = (20.0, 10.0, 5.0)
VARIANTS = (FIRST, LONGER, TRAINED)

Counts = dict[str, ErrorCounts]  # of all utterances, by the name of the file


def measure(
    folder: Path, items: list[Utterance], draws: int, quiet: bool = False
) -> tuple[NoiseRow, ...]:
    """Error rates of the float files and of the one that was quantized in training.

    Args:
        folder: of the demo's `.tflite` files.
        items: the recordings.
        draws: of each noise; their errors are added, so that an utterance counts as one.
        quiet: show no progress.

    Raises:
        UserError: the demo did not make these files.
    """
    files = {variant.name: folder / variant.file for variant in VARIANTS}
    for path in files.values():
        require(path.is_file(), f"{path}: no such file: run `tflite-export demo`, which trains it")
    models = [listener(name, TFLiteRecogniser(path)) for name, path in files.items()]
    kind = "CTC" if models[0].recogniser.steps is None else "transducer"
    conditions = [(CLEAN, None), *((noise, snr_db) for snr_db in SNR_DB for noise in NOISES)]
    heard: dict[tuple[str, float | None], Counts] = {}
    for noise, snr_db in progress(conditions, kind, len(conditions), "condition", quiet):
        heard[noise, snr_db] = _counts(models, items, noise, snr_db, draws)
    for snr_db in SNR_DB:
        heard[ALL, snr_db] = _added([heard[noise, snr_db] for noise in NOISES])
    order = sorted(heard, key=lambda each: (each[1] is not None, -(each[1] or 0)))
    return tuple(
        _row(kind, noise, snr_db, heard[noise, snr_db], variant.name, variant.baseline)
        for noise, snr_db in order
        for variant in VARIANTS
    )


def _counts(
    models: Sequence[Listener],
    items: list[Utterance],
    noise: str,
    snr_db: float | None,
    draws: int,
) -> Counts:
    """Errors of all files in the same noise."""
    references = [item.text for item in items]
    found = []
    for seed in range(1 if snr_db is None else draws):
        condition = Condition()
        if snr_db is not None:
            condition = Condition(noise_named(noise, items), snr_db, seed=seed)
        changed = under(condition, items)
        texts = {model.name: model.texts(changed)[ONLY] for model in models}
        found.append({name: word_errors(references, own) for name, own in texts.items()})
    return _added(found)


def _added(several: Sequence[Counts]) -> Counts:
    """Errors of the same utterances under several conditions."""
    return {name: ErrorCounts.added([counts[name] for counts in several]) for name in several[0]}


def _row(
    kind: str, noise: str, snr_db: float | None, heard: Counts, name: str, baseline: str | None
) -> NoiseRow:
    own, other = heard[name], heard[baseline] if baseline else None
    return NoiseRow(
        kind=kind,
        file=name,
        noise=noise,
        snr_db=snr_db,
        wer=own.rate,
        wer_ci=interval(own),
        baseline=baseline,
        wer_diff=own.rate - other.rate if other else None,
        wer_diff_ci=paired_interval(own, other) if other else None,
    )
