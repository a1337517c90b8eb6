"""What a prepared folder says of all its shards: manifests, statistics, `corpus.json`."""

import collections
import dataclasses
import itertools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from asr_qat import files, folder_sums
from asr_qat.audio.front_end import FrontEndConfig
from asr_qat.corpora import symbols
from asr_qat.corpora.file_facts import FileFacts
from asr_qat.corpora.prepared import shard_name
from asr_qat.corpora.utterance import Corpus
from asr_qat.errors import UserError
from asr_qat.leftovers import remove_left
from asr_qat.lock import NAME
from asr_qat.remote_path import RemotePath
from asr_qat.text.normalizers import PLAIN
from asr_qat.text.tokenizer import Tokenizer

# Natural-logarithm units. Speech varies by 2 to 6; a bin that the corpus leaves silent (above
# 4 kHz in telephone recordings) would otherwise blow up the first sound that reaches it.
MIN_STD = 1.0


def finish(
    out: Path,
    corpus: Corpus,
    reports: dict[str, list[dict]],
    measured: Sequence[str],
    tokenizer: Tokenizer,
    front_end: FrontEndConfig,
    normalizer: str = PLAIN,
    shared: Sequence[str] = (),
) -> None:
    """Write what the folder says of its shards, `corpus.json` and checksums last.

    Args:
        out: the folder.
        corpus: that was prepared.
        reports: of all shards, by split, in order.
        measured: the splits whose features the statistics are of.
        tokenizer: the vocabulary.
        front_end: of the features.
        normalizer: name of that of the texts, see `asr_qat.text.normalizers`.
        shared: sentences on what splits have in common, see `asr_qat.corpora.overlap`.

    Raises:
        UserError: no utterance of the measured splits can be used.
    """
    skipped = {
        split: [line for report in parts for line in report["skipped"]]
        for split, parts in reports.items()
    }
    used = {
        split: [line for report in parts for line in report["utterances"]]
        for split, parts in reports.items()
    }
    dense = [name for parts in reports.values() for report in parts for name in report["dense"]]
    if not any(used[split] for split in measured):
        raise UserError(f"{out}: no usable utterance of {' or '.join(measured)} in {corpus.name}")
    dropped = symbols.total(itertools.chain.from_iterable(reports.values()))
    _remove_stale(out, reports)
    folder_sums.begin(out)
    for split, lines in used.items():
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        files.write_text(out / f"{split}.jsonl", text)
    described = [report for split in measured for report in reports[split]]
    files.write_json(out / "stats.json", _stats(described, front_end))
    description = {
        "name": corpus.name,
        "description": corpus.description,
        "licence": corpus.licence,
        "speakers": _speakers(itertools.chain.from_iterable(used.values())),
        "splits": {
            split: {
                "utterances": len(lines),
                "hours": sum(line["duration"] for line in lines) / 3600,
                "speakers": _speakers(lines),
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
        # Of train: too few frames for their labels in an encoder that subsamples by 8.
        **({"dense": dense} if dense else {}),
        **({"dropped_symbols": dropped} if dropped else {}),
        **({"overlaps": shared} if shared else {}),
        # Where it is not what folders without it were made with.
        **({} if normalizer == PLAIN else {"normalizer": normalizer}),
        "files": _files(out, reports),
    }
    files.write_json(out / "corpus.json", description)
    folder_sums.write(out, ["corpus.json"])  # which has those of all the others


def _files(out: Path, reports: dict[str, list[dict]]) -> dict[str, dict]:
    """Size and checksum of all other files by name, and how many utterances a shard has."""
    names = ("tokenizer.model", "stats.json", *(f"{split}.jsonl" for split in reports))
    small = {name: dataclasses.asdict(FileFacts.of(out / name)) for name in names}
    shards = {
        shard_name(split, index, len(parts)): {
            **report["file"],
            "utterances": len(report["utterances"]),
        }
        for split, parts in reports.items()
        for index, report in enumerate(parts)
    }
    return small | shards


def _speakers(lines: Iterable[dict]) -> int:
    """How many speak in lines of a manifest; those who are unknown are not counted."""
    return len({line["speaker"] for line in lines} - {""})


def _remove_stale(out: Path, reports: dict[str, list[dict]]) -> None:
    """Remove what killed runs have left, and shards of other settings."""
    shards = {
        shard_name(split, index, len(parts))
        for split, parts in reports.items()
        for index in range(len(parts))
    }
    if not isinstance(out, RemotePath):
        for folder in (out, out / "reports"):
            remove_left(folder, alone=True)
        for lock in out.glob(f".part-*{NAME}"):  # whoever holds them has to share the folder's
            lock.unlink(missing_ok=True)
    for path in out.glob("*.tfrecord"):
        if path.name not in shards:
            path.unlink()
            (out / "reports" / f"{path.stem}.json").unlink(missing_ok=True)


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
