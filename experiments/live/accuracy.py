"""Words of both passes of live files, beside those of a model of whole utterances."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from asr_qat.corpora.recordings import recordings
from asr_qat.corpora.utterance import Utterance
from asr_qat.errors import require
from experiments.live.live_results import AccuracyFigures, OfflineRow, PassRow, SplitSize
from tflite_export.runtime.live.live_model import LiveModel, live_model
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score.evaluate import describe, run
from tflite_export.score.live_evaluate import PASSES, pass_rates, run_streamed
from tflite_export.score.live_rows import PassRates, StreamSpeed
from tflite_export.score.rows import Times, combine

BOTH = "all"  # splits together
BySplit = dict[str, list[str]]  # texts


@dataclasses.dataclass
class _Texts:
    """References of each split."""

    references: BySplit

    def rates(self, found: BySplit, baseline: BySplit | None = None) -> dict[str, PassRates]:
        """For each split and all together."""
        return {
            split: pass_rates(
                _joined(self.references, split),
                _joined(found, split),
                _joined(baseline, split) if baseline is not None else None,
            )
            for split in (*self.references, BOTH)
        }


def _joined(texts: BySplit, split: str) -> list[str]:
    return [text for own in texts.values() for text in own] if split == BOTH else texts[split]


def accuracy(
    files: Mapping[str, str | Path],
    offline: str | Path,
    data: str | Path,
    splits: Sequence[str] = ("test", "dev"),
    chunk_ms: int = 120,
    threads: int = 1,
    quiet: bool = False,
) -> AccuracyFigures:
    """Score live files by name, the first of which is what the others are compared with.

    Args:
        files: of live models.
        offline: `.tflite` of a transducer of whole utterances.
        data: prepared folder.
        splits: of it.
        chunk_ms: milliseconds of a chunk.
        threads: CPU threads.
        quiet: no progress.

    Raises:
        UserError: a file of the other kind.
    """
    items = {split: recordings(data, split) for split in splits}
    texts = _Texts({split: [item.text for item in own] for split, own in items.items()})
    devices = {name: TFLiteRecogniser(path, threads) for name, path in files.items()}
    models = {name: live_model(device) for name, device in devices.items()}
    whole_device = TFLiteRecogniser(offline, threads)
    require(not whole_device.live, f"{offline}: a live model instead of the offline one")
    rows: list[PassRow] = []
    speed: dict[str, StreamSpeed] = {}
    first: dict[str, BySplit] = {}
    for name, device in devices.items():
        found, speed[name] = _streamed(models[name], items, chunk_ms, threads, quiet)
        facts = describe(device)
        first = first or found
        whole = rows[0].bytes if rows else facts.bytes
        for each in PASSES:
            row = combine(
                PassRow,
                facts,
                name=f"{name}, {each} pass",
                file=name,
                search=each,
                ratio=whole / facts.bytes,
                rates=texts.rates(found[each], first[each] if found is not first else None),
            )
            rows.append(row)
    whole_texts = {split: run(whole_device, own, quiet).hypotheses for split, own in items.items()}
    beside = combine(
        OfflineRow,
        describe(whole_device),
        name="whole utterances",
        file=Path(offline).name,
        rates=texts.rates(whole_texts),
        live_differences={
            each: {
                split: own.wer_diff_ci
                for split, own in texts.rates(first[each], whole_texts).items()
            }
            for each in PASSES
        },
    )
    sizes = {
        split: SplitSize(utterances=len(own), words=_words(own)) for split, own in items.items()
    }
    return AccuracyFigures(
        chunk_ms=chunk_ms, splits=sizes, rows=tuple(rows), beside=beside, speed=speed
    )


def _words(items: list[Utterance]) -> int:
    return sum(len(item.text.split()) for item in items)


def _streamed(
    model: LiveModel, items: dict[str, list[Utterance]], chunk_ms: int, threads: int, quiet: bool
) -> tuple[dict[str, BySplit], StreamSpeed]:
    """Texts by pass and split, and the time of the chunks."""
    runs = {split: run_streamed(model, own, chunk_ms, quiet) for split, own in items.items()}
    found = {
        each: {split: result.hypotheses[each] for split, result in runs.items()} for each in PASSES
    }
    chunks = np.concatenate([result.chunk_seconds for result in runs.values()])
    finishes = np.concatenate([result.finish_seconds for result in runs.values()])
    audio = sum(float(result.audio_seconds.sum()) for result in runs.values())
    return found, StreamSpeed(
        rtf=float(chunks.sum() + finishes.sum()) / audio,
        chunk_compute_ms=Times.of(chunks),
        finish_ms=Times.of(finishes),
        threads=threads,
    )
