"""From a corpus to a prepared folder (see `asr_qat.corpora.prepared` for its files)."""

import collections
import hashlib
import itertools
import json
import logging
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from asr_qat import files
from asr_qat.audio.front_end import LEVELLED_FRONT_END, FrontEndConfig
from asr_qat.corpora.prepared import shard_name
from asr_qat.corpora.shard import ShardWriter
from asr_qat.corpora.utterance import SPLITS, Corpus, Utterance
from asr_qat.errors import UserError
from asr_qat.progress import progress_bar
from asr_qat.text.normalize import normalize
from asr_qat.text.tokenizer import Tokenizer

_LOGGER = logging.getLogger(__name__)

SHARD_UTTERANCES = 512  # utterances in a shard unless the number of shards is given
SHUFFLE_SEED = 0
# Natural-logarithm units. Speech varies by 2 to 6; a bin that the corpus leaves silent (above
# 4 kHz in telephone recordings) would otherwise blow up the first sound that reaches it.
MIN_STD = 1.0


def prepare(
    corpus: Corpus,
    out: str | Path,
    vocab_size: int = 1024,
    model_type: str = "unigram",
    tokenizer: str | Path | None = None,
    shards: int | None = None,
    strict: bool = False,
    quiet: bool = False,
) -> None:
    """Write the prepared folder `out`; an interrupted run is resumed where it ended.

    Args:
        corpus: the recordings and their words, see `read_corpus`.
        out: the folder to write.
        vocab_size: wanted number of word pieces.
        model_type: `char`, `unigram` or `bpe`.
        tokenizer: a SentencePiece model to use instead of training one.
        shards: number of shards of each split.
        strict: fail if any utterance had to be skipped.
        quiet: show no progress and no skipped utterances.

    Raises:
        UserError: neither a training split nor a tokenizer, a folder prepared with other
            settings, no usable utterance, or with `strict` a skipped one.
    """
    out = Path(out)
    if shards is not None and shards < 1:
        raise UserError(f"--shards {shards}: expected 1 or more")
    splits = _ordered(corpus)
    if "train" not in splits and tokenizer is None:
        raise UserError(
            f"{corpus.name}: no training utterances to make a vocabulary from: add some, or give "
            "the --tokenizer of a model to score it on these"
        )
    absent = [split for split in SPLITS if split not in splits]
    if absent and not quiet:
        _LOGGER.warning("%s: no utterances of %s: left out", corpus.name, " or ".join(absent))
    front_end = LEVELLED_FRONT_END
    given = Tokenizer.load(tokenizer) if tokenizer is not None else None
    settings: dict[str, Any] = {
        "corpus": corpus.name,
        "vocab_size": None if given else vocab_size,
        "model_type": None if given else model_type,
        "tokenizer": hashlib.sha256(given.proto).hexdigest() if given else None,
        "shards": shards,
        "front_end": front_end.to_json(),
        "utterances": _digest(splits),
    }
    _check_settings(out, settings)
    words = given or _tokenizer(out, splits["train"], vocab_size, model_type)
    files.write_json(out / "settings.json", settings)
    words.save(out / "tokenizer.model")

    def writer(split: str) -> ShardWriter:
        measure = split in _measured(splits)
        return ShardWriter(words, front_end, features=measure, check_labels=split == "train")

    total = sum(map(len, splits.values()))
    bar = progress_bar("prepare", total=total, quiet=quiet)
    try:
        reports = {
            split: _write_split(out, split, utterances, shards, writer(split), bar)
            for split, utterances in splits.items()
        }
    finally:
        bar.close()

    skipped = {
        split: [line for report in parts for line in report["skipped"]]
        for split, parts in reports.items()
    }
    if strict or not quiet:
        for line in itertools.chain.from_iterable(skipped.values()):
            _LOGGER.warning("skipped %s: %s", line["id"], line["detail"])
    number = sum(map(len, skipped.values()))
    if strict and number:
        raise UserError(
            f"{out}: {number} of {total} utterances cannot be used (listed above): "
            "mend them, or prepare without --strict"
        )
    _finish(out, corpus, reports, skipped, words, front_end)


def _ordered(corpus: Corpus) -> dict[str, list[Utterance]]:
    """The splits that there are, training in a fixed random order.

    Neighbours in a shard are unrelated then.
    """
    splits = {split: list(corpus.splits.get(split, [])) for split in SPLITS}
    random.Random(SHUFFLE_SEED).shuffle(splits["train"])
    return {split: utterances for split, utterances in splits.items() if utterances}


def _measured(splits: Iterable[str]) -> list[str]:
    """The splits whose features the statistics are of: training, or all there are without it."""
    return [split for split in splits if split == "train"] or list(splits)


def _digest(splits: dict[str, list[Utterance]]) -> str:
    names = [
        (split, utterance.id, utterance.text)
        for split, utterances in splits.items()
        for utterance in utterances
    ]
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()


def _check_settings(out: Path, settings: dict[str, Any]) -> None:
    if not (out / "settings.json").exists():
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise UserError(f"{out}: exists and is not a prepared folder: choose another --out")
        return
    before = files.read_json(out / "settings.json")
    for key, value in settings.items():
        if before.get(key) != value:
            shown = key in ("corpus", "vocab_size", "model_type", "shards")
            setting = f"{key} {before.get(key)}, now {value}" if shown else f"other {key}"
            raise UserError(
                f"{out}: was prepared with {setting}: choose another --out or remove it"
            )


def _tokenizer(out: Path, train: list[Utterance], vocab_size: int, model_type: str) -> Tokenizer:
    finished = out / "tokenizer.model"
    if finished.exists():
        return Tokenizer.load(finished)
    # Sorted, so that the order of the corpus does not matter to the vocabulary.
    texts = sorted(normalize(utterance.text) for utterance in train)
    return Tokenizer.train(texts, vocab_size, model_type)


def _shard_count(utterances: int, wanted: int | None) -> int:
    count = wanted or -(-utterances // SHARD_UTTERANCES)
    return max(1, min(count, utterances))


def _write_split(
    out: Path,
    split: str,
    utterances: list[Utterance],
    shards: int | None,
    writer: ShardWriter,
    bar: Any,
) -> list[dict]:
    """Write the shards of one split that are not there yet; the reports of them all."""
    count = _shard_count(len(utterances), shards)
    mel_bins = writer.front_end.mel_bins
    reports = []
    for index in range(count):
        path = out / shard_name(split, index, count)
        report_path = out / "reports" / f"{path.stem}.json"
        part = utterances[len(utterances) * index // count : len(utterances) * (index + 1) // count]
        if not (path.exists() and report_path.exists()):
            totals = {
                "frames": 0,
                "sum": np.zeros(mel_bins),
                "squares": np.zeros(mel_bins),
            }
            written: list[dict] = []
            skipped: list[dict] = []
            for record in writer.write(path, part):
                for key, value in record.pop("features", {}).items():
                    totals[key] += value
                (skipped if "reason" in record else written).append(record)
                bar.update()
            features = {k: np.asarray(v).tolist() for k, v in totals.items()}
            report = {"utterances": written, "skipped": skipped, "features": features}
            files.write_json(report_path, report)
        else:
            bar.update(len(part))
        reports.append(files.read_json(report_path))
    return reports


def _finish(
    out: Path,
    corpus: Corpus,
    reports: dict[str, list[dict]],
    skipped: dict[str, list[dict]],
    tokenizer: Tokenizer,
    front_end: FrontEndConfig,
) -> None:
    used = {
        split: [line for report in parts for line in report["utterances"]]
        for split, parts in reports.items()
    }
    measured = _measured(reports)
    if not any(used[split] for split in measured):
        raise UserError(f"{out}: no usable utterance of {' or '.join(measured)} in {corpus.name}")
    for stale in out.glob(".*.tmp"):  # of a run that was killed
        stale.unlink()
    for split, lines in used.items():
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        files.write_text(out / f"{split}.jsonl", text)
    described = [report for split in measured for report in reports[split]]
    files.write_json(out / "stats.json", _stats(described, front_end))
    description = {
        "name": corpus.name,
        "description": corpus.description,
        "licence": corpus.licence,
        "speakers": len({line["speaker"] for lines in used.values() for line in lines}),
        "splits": {
            split: {
                "utterances": len(lines),
                "hours": sum(line["duration"] for line in lines) / 3600,
                "speakers": len({line["speaker"] for line in lines}),
                "shards": len(reports[split]),
                "skipped": dict(collections.Counter(line["reason"] for line in skipped[split])),
                # None in train. Elsewhere what no model can recognise counts as its error.
                "outside_vocabulary": sum(
                    bool(tokenizer.unknown_characters(line["text"])) for line in lines
                ),
            }
            for split, lines in used.items()
        },
        "skipped": [line for lines in skipped.values() for line in lines],
    }
    files.write_json(out / "corpus.json", description)


def _stats(reports: list[dict], front_end: FrontEndConfig) -> dict:
    """Mean and standard deviation of each mel bin, from sums in double precision."""
    frames = sum(report["features"]["frames"] for report in reports)
    mean = np.sum([report["features"]["sum"] for report in reports], axis=0) / frames
    squares = np.sum([report["features"]["squares"] for report in reports], axis=0) / frames
    std = np.sqrt(np.maximum(squares - mean**2, MIN_STD**2))
    return {
        "mean": mean.tolist(),
        "std": std.tolist(),
        "frames": frames,
        "front_end": front_end.to_json(),
    }
