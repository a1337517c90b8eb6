"""Score the files of a demo in noise, and those of a live model."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from asr_qat.corpora.conditions import Condition, under
from asr_qat.corpora.noises import noise_named
from asr_qat.corpora.utterance import Utterance
from asr_qat.errors import require
from asr_qat.progress import progress
from experiments.demo.demo import FIRST, LONGER, TRAINED
from experiments.noise.rows import ALL, CLEAN, NoiseRow
from tflite_export.commands.arguments import DEFAULT_CHUNK_MS
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score.conditions import Listener, listener
from tflite_export.score.statistics import ErrorCounts, interval, paired_interval, word_errors

NOISES = ("white", "pink", "babble")
SNR_DB = (20.0, 10.0, 5.0)
VARIANTS = (FIRST, LONGER, TRAINED)

Counts = dict[tuple[str, str], ErrorCounts]  # of all utterances, by file and pass


@dataclasses.dataclass(frozen=True)
class Compared:
    """A file that is scored.

    Attributes:
        name: in the rows.
        path: of the `.tflite`.
        baseline: name of the file that it is compared with, or None.
    """

    name: str
    path: Path
    baseline: str | None


def files_of_demo(folder: Path) -> list[Compared]:
    """The float files and the one that was quantized in training, in a folder of the demo.

    Raises:
        UserError: the demo did not make these files.
    """
    found = [Compared(each.name, folder / each.file, each.baseline) for each in VARIANTS]
    for each in found:
        missing = f"{each.path}: no such file: run `tflite-export demo`, which trains it"
        require(each.path.is_file(), missing)
    return found


def live_files(plain: Path, quantized: Path) -> list[Compared]:
    """A float and a quantized file of a live model."""
    return [Compared(FIRST.name, plain, None), Compared(TRAINED.name, quantized, FIRST.name)]


def measure(
    files: Sequence[Compared], items: list[Utterance], draws: int, quiet: bool = False
) -> tuple[NoiseRow, ...]:
    """Error rates of files of one kind of model; of a live one in both passes.

    Args:
        files: that hear the same.
        items: the recordings.
        draws: of each noise; their errors are added, so that an utterance counts as one.
        quiet: show no progress.
    """
    devices = [TFLiteRecogniser(each.path) for each in files]
    live = [device.live for device in devices]
    require(len(set(live)) == 1, f"{files[0].path}: a live model and others in one comparison")
    chunk_ms = DEFAULT_CHUNK_MS if live[0] else None
    pairs = zip(files, devices, strict=True)
    models = [listener(each.name, device, chunk_ms=chunk_ms) for each, device in pairs]
    whole = "CTC" if devices[0].steps is None else "transducer"
    kind = "live" if live[0] else whole
    conditions = [(CLEAN, None), *((noise, snr_db) for snr_db in SNR_DB for noise in NOISES)]
    heard: dict[tuple[str, float | None], Counts] = {}
    for noise, snr_db in progress(conditions, kind, len(conditions), "condition", quiet):
        heard[noise, snr_db] = _counts(models, items, noise, snr_db, draws)
    for snr_db in SNR_DB:
        heard[ALL, snr_db] = _added([heard[noise, snr_db] for noise in NOISES])
    order = sorted(heard, key=lambda each: (each[1] is not None, -(each[1] or 0)))
    passes = dict.fromkeys(which for _, which in heard[CLEAN, None])
    return tuple(
        _row(kind, which, noise, snr_db, heard[noise, snr_db], each)
        for which in passes
        for noise, snr_db in order
        for each in files
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
        found.append(
            {
                (model.name, which): word_errors(references, own)
                for model in models
                for which, own in model.texts(changed).items()
            }
        )
    return _added(found)


def _added(several: Sequence[Counts]) -> Counts:
    """Errors of the same utterances under several conditions."""
    return {key: ErrorCounts.added([counts[key] for counts in several]) for key in several[0]}


def _row(
    kind: str, which: str, noise: str, snr_db: float | None, heard: Counts, file: Compared
) -> NoiseRow:
    own = heard[file.name, which]
    other = heard[file.baseline, which] if file.baseline else None
    return NoiseRow(
        kind=f"{kind}, {which} pass" if which else kind,
        file=file.name,
        noise=noise,
        snr_db=snr_db,
        wer=own.rate,
        wer_ci=interval(own),
        baseline=file.baseline,
        wer_diff=own.rate - other.rate if other else None,
        wer_diff_ci=paired_interval(own, other) if other else None,
    )
