"""The shards of a prepared folder as jobs, which any worker can do in any order.

A shard is finished when its report, `reports/{shard}.json`, is there: it is written after the
shard, and says what the shard was made from. What a shard holds follows from its job alone.
"""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from asr_qat import files
from asr_qat.audio.front_end import FrontEndConfig
from asr_qat.audio.inside import address
from asr_qat.corpora.file_facts import FileFacts
from asr_qat.corpora.prepared import shard_name
from asr_qat.corpora.symbols import DroppedSymbols
from asr_qat.corpora.utterance import Utterance
from asr_qat.errors import UserError, require
from asr_qat.text.normalizers import PLAIN, keeps_case
from asr_qat.text.tokenizer import Tokenizer

SHARD_UTTERANCES = 512  # utterances in a shard unless the number of shards is given


@dataclasses.dataclass(frozen=True)
class ShardJob:
    """One shard to write.

    Attributes:
        out: the prepared folder, with `tokenizer.model` in it.
        split: of the utterances.
        index: of the shard in its split.
        count: shards of the split.
        utterances: what it is to hold.
        front_end: of the features whose sums are reported.
        tokenizer: SHA-256 of the vocabulary.
        features: whether to report feature sums.
        check_labels: see `ShardWriter`.
        normalizer: name of that of the texts, see `asr_qat.text.normalizers`.
    """

    out: str
    split: str
    index: int
    count: int
    utterances: tuple[Utterance, ...] = dataclasses.field(repr=False)
    front_end: FrontEndConfig = dataclasses.field(repr=False)
    tokenizer: str = dataclasses.field(repr=False)
    features: bool
    check_labels: bool
    normalizer: str = PLAIN

    def __str__(self) -> str:
        """The shard's path."""
        return str(self.path)

    @property
    def path(self) -> Path:
        """Of the shard."""
        return files.place(self.out) / shard_name(self.split, self.index, self.count)

    @property
    def report_path(self) -> Path:
        """Of its report."""
        return files.place(self.out) / "reports" / f"{self.path.stem}.json"

    @property
    def inputs(self) -> str:
        """Checksum of all that the shard is made from, of the recordings only where they lie."""
        settings = {
            "front_end": self.front_end.to_json(),
            "tokenizer": self.tokenizer,
            "normalizer": self.normalizer,
        }
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        for utterance in self.utterances:
            words = dataclasses.asdict(utterance)
            words["audio_path"] = address(utterance.audio_path)
            del words["where"]
            digest.update(json.dumps(words, sort_keys=True).encode())
        return digest.hexdigest()

    def is_finished(self) -> bool:
        """Whether the shard is there, made from the same, and nothing that it lacks was mended."""
        if not (self.path.is_file() and self.report_path.is_file()):
            return False
        report = self.report()
        if report.get("inputs") != self.inputs or "file" not in report:  # of an earlier version
            return False
        if self.path.stat().st_size != self.facts(report).bytes:
            return False
        lacking = report["unread"]
        return all(
            lacking[utterance.id] == _state(utterance)
            for utterance in self.utterances
            if utterance.id in lacking
        )

    def facts(self, report: dict[str, Any]) -> FileFacts:
        """Of the shard, as its writer reported them."""
        return FileFacts.from_json(report["file"], str(self.report_path))

    def report(self) -> dict[str, Any]:
        """What its writer reported. Raises `UserError` if that is missing or damaged."""
        report = files.read_json(self.report_path)
        whole = isinstance(report, dict) and {"utterances", "skipped", "features"} <= report.keys()
        require(whole, f"{self.report_path}: damaged: remove it and run `asr-qat prepare` again")
        return report


def shard_jobs(
    splits: dict[str, list[Utterance]],
    shards: int | None,
    measured: Iterable[str],
    **common: Any,
) -> list[ShardJob]:
    """All shards of a folder.

    Args:
        splits: utterances of each split, in the order of the shards.
        shards: wanted number of each split, None for `SHARD_UTTERANCES` in each.
        measured: splits whose feature sums are reported.
        common: what all jobs have in common.
    """
    jobs = []
    for split, utterances in splits.items():
        size = len(utterances)
        count = max(1, min(shards or -(-size // SHARD_UTTERANCES), size))
        jobs += [
            ShardJob(
                split=split,
                index=index,
                count=count,
                utterances=tuple(utterances[size * index // count : size * (index + 1) // count]),
                features=split in measured,
                check_labels=split == "train",
                **common,
            )
            for index in range(count)
        ]
    return jobs


def write_shard(job: ShardJob, done: Callable[[], object] = lambda: None) -> None:
    """Write a shard and its report.

    Args:
        job: what to write.
        done: is called after each utterance.

    Raises:
        UserError: the vocabulary is not that of the job.
        OSError: a file cannot be written.
    """
    from asr_qat.corpora.shard import ShardWriter  # late: TensorFlow takes seconds to load

    tokenizer = _tokenizer(job.out, job.tokenizer)
    tokenizer = tokenizer.with_case() if keeps_case(job.normalizer) else tokenizer
    writer = ShardWriter(
        tokenizer, job.front_end, job.features, job.check_labels, normalizer=job.normalizer
    )
    texts = {utterance.id: utterance.text for utterance in job.utterances}
    mel_bins = job.front_end.mel_bins
    totals: dict[str, Any] = {
        "frames": 0,
        "sum": np.zeros(mel_bins),
        "squares": np.zeros(mel_bins),
    }
    written: list[dict] = []
    skipped: list[dict] = []
    checksums: list[str] = []
    dense: list[str] = []
    facts: dict[str, Any] = {}
    symbols = DroppedSymbols()
    job.report_path.unlink(missing_ok=True)
    for record in writer.write(job.path, job.utterances):
        if "file" in record:
            facts = record["file"]
            continue
        for key, value in record.pop("features", {}).items():
            totals[key] += value
        if record.pop("dense", False):
            dense.append(record["id"])
        if "reason" in record:
            skipped.append(record)
        else:
            checksums.append(record.pop("checksum"))
            symbols.add(record.pop("dropped_symbols", {}), texts[record["id"]])
            written.append(record)
        done()
    lacking = {line["id"] for line in skipped}
    report = {
        "utterances": written,
        "skipped": skipped,
        "checksums": checksums,  # of the samples of `utterances`
        "dense": dense,
        "dropped_symbols": symbols.to_json(),
        "features": {k: np.asarray(v).tolist() for k, v in totals.items()},
        "inputs": job.inputs,
        "file": facts,
        "unread": {each.id: _state(each) for each in job.utterances if each.id in lacking},
    }
    files.write_json(job.report_path, report)


@functools.lru_cache(maxsize=1)
def _tokenizer(out: str, checksum: str) -> Tokenizer:
    path = files.place(out) / "tokenizer.model"
    tokenizer = Tokenizer.load(path)
    if tokenizer.checksum != checksum:
        raise UserError(f"{path}: is not the vocabulary of this run: run `asr-qat prepare` again")
    return tokenizer


def _state(utterance: Utterance) -> list[int] | None:
    """Of a recording's file: size in bytes and time of its last change; None without one."""
    archive: Any = getattr(utterance.audio_path, "path", utterance.audio_path)  # it lies in
    try:
        found = archive.stat()
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns]
