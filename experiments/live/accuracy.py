"""Words of both passes of live files, beside those of a model of whole utterances."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from asr_qat.corpora.recordings import recordings
from asr_qat.corpora.utterance import Utterance
from asr_qat.errors import require
from tflite_export.runtime.live.live_model import LiveModel, live_model
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score.evaluate import describe, run
from tflite_export.score.live_evaluate import PASSES, milliseconds, run_streamed, text_figures

BOTH = "all"  # splits together


@dataclasses.dataclass
class _Texts:
    """References of each split, and what was recognised by name of the row."""

    references: dict[str, list[str]]

    def figures(
        self, found: dict[str, list[str]], baseline: dict[str, list[str]] | None
    ) -> dict[str, Any]:
        """For each split and all together; texts are by split."""
        return {
            split: text_figures(
                _joined(self.references, split),
                _joined(found, split),
                _joined(baseline, split) if baseline is not None else None,
            )
            for split in (*self.references, BOTH)
        }


def _joined(texts: dict[str, list[str]], split: str) -> list[str]:
    return [text for own in texts.values() for text in own] if split == BOTH else texts[split]


def accuracy(
    files: Mapping[str, str | Path],
    offline: str | Path,
    data: str | Path,
    splits: Sequence[str] = ("test", "dev"),
    chunk_ms: int = 120,
    threads: int = 1,
    quiet: bool = False,
) -> dict[str, Any]:
    """Score live files by name, the first of which is what the others are compared with.

    Args:
        files: of live models.
        offline: `.tflite` of a transducer of whole utterances.
        data: prepared folder.
        splits: of it.
        chunk_ms: milliseconds of a chunk.
        threads: CPU threads.
        quiet: no progress.

    Returns:
        `rows`: for each file and pass `name`, `file`, `pass`, size, and for each split and all of
        them together (`BOTH`) the rates and the paired difference to the same pass of the first
        file; `beside`: the same of the offline model, with the difference of each pass of the
        first file to it, by split; `speed` of the chunks of each file.

    Raises:
        UserError: a file of the other kind.
    """
    items = {split: recordings(data, split) for split in splits}
    texts = _Texts({split: [item.text for item in own] for split, own in items.items()})
    devices = {name: TFLiteRecogniser(path, threads) for name, path in files.items()}
    models = {name: live_model(device) for name, device in devices.items()}
    whole_device = TFLiteRecogniser(offline, threads)
    require(not whole_device.live, f"{offline}: a live model in the place of the offline one")
    rows: list[dict[str, Any]] = []
    speed: dict[str, Any] = {}
    first: dict[str, dict[str, list[str]]] = {}
    for name, device in devices.items():
        found, speed[name] = _streamed(models[name], items, chunk_ms, quiet)
        speed[name]["threads"] = threads
        size = describe(device)
        first = first or found
        whole = rows[0]["bytes"] if rows else size["bytes"]
        for each in PASSES:
            figures = texts.figures(found[each], first[each] if found is not first else None)
            head = {"name": f"{name}, {each} pass", "file": name, "pass": each}
            rows.append({**head, **size, "ratio": whole / size["bytes"], **figures})
    whole_texts = {split: run(whole_device, own, quiet).hypotheses for split, own in items.items()}
    beside = {
        "name": "whole utterances",
        "file": Path(offline).name,
        **describe(whole_device),
        **texts.figures(whole_texts, None),
        "live_differences": {
            each: {
                split: own["wer_diff_ci"]
                for split, own in texts.figures(first[each], whole_texts).items()
            }
            for each in PASSES
        },
    }
    counts = {split: {"utterances": len(own), "words": _words(own)} for split, own in items.items()}
    return {"rows": rows, "beside": beside, "chunk_ms": chunk_ms, "splits": counts, "speed": speed}


def _words(items: list[Utterance]) -> int:
    return sum(len(item.text.split()) for item in items)


def _streamed(
    model: LiveModel, items: dict[str, list[Utterance]], chunk_ms: int, quiet: bool
) -> tuple[dict[str, dict[str, list[str]]], dict[str, Any]]:
    """Texts by pass and split, and the time of the chunks."""
    runs = {split: run_streamed(model, own, chunk_ms, quiet) for split, own in items.items()}
    found = {
        each: {split: result.hypotheses[each] for split, result in runs.items()} for each in PASSES
    }
    chunks = np.concatenate([result.chunk_seconds for result in runs.values()])
    finishes = np.concatenate([result.finish_seconds for result in runs.values()])
    audio = sum(float(result.audio_seconds.sum()) for result in runs.values())
    return found, {
        "rtf": float(chunks.sum() + finishes.sum()) / audio,
        "chunk_compute_ms": milliseconds(chunks),
        "finish_ms": milliseconds(finishes),
    }
