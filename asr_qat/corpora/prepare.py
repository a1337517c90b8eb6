"""From a corpus to a prepared folder (see `asr_qat.corpora.prepared` for its files).

Three steps: settings and vocabulary; the shards, by any number of workers or machines in any
order; what the folder says of them all. Each is a function of corpus and settings alone, so the
bytes are the same however the shards were shared out, and each may be done again.
"""

import contextlib
import dataclasses
import hashlib
import itertools
import json
import logging
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from asr_qat import files
from asr_qat.audio.front_end import LEVELLED_FRONT_END
from asr_qat.corpora.overlap import equal_audio, overlaps
from asr_qat.corpora.prepared_summary import finish
from asr_qat.corpora.shard_job import ShardJob, shard_jobs, write_shard
from asr_qat.corpora.utterance import SPLITS, Corpus, Utterance
from asr_qat.counted import counted
from asr_qat.errors import UserError, require
from asr_qat.lock import NAME, locked
from asr_qat.parallel.run_jobs import run_jobs
from asr_qat.parallel.workers import Workers
from asr_qat.progress import progress_bar
from asr_qat.text.normalizers import OF_TRAINING, PLAIN, check_training, training_normalizer
from asr_qat.text.tokenizer import Tokenizer

_LOGGER = logging.getLogger(__name__)

SHUFFLE_SEED = 0
ALONE = Workers()
# Of a run that ended before its settings were written: no other folder's.
BEGUN = ("tokenizer.model", "reports")


@dataclasses.dataclass(frozen=True)
class Part:
    """The part of a folder's shards that one of several machines writes: each `of`-th of them.

    Attributes:
        index: of this machine, from 0.
        of: number of machines.
    """

    index: int
    of: int

    def __post_init__(self) -> None:
        """Raise `UserError` unless there is such a part."""
        wrong = f"--shard {self.index}/{self.of}: expected 0/{self.of} to {self.of - 1}/{self.of}"
        require(0 <= self.index < self.of, wrong)


def prepare(
    corpus: Corpus,
    out: str | Path,
    vocab_size: int = 1024,
    model_type: str = "unigram",
    tokenizer: str | Path | None = None,
    shards: int | None = None,
    strict: bool = False,
    quiet: bool = False,
    workers: Workers = ALONE,
    part: Part | None = None,
    merge: bool = False,
    normalizer: str | None = None,
    byte_fallback: bool = False,
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
        workers: where the shards are written.
        part: write the shards of one machine only, and do not finish the folder.
        merge: write no shard: finish a folder whose shards other machines have written.
        normalizer: of the transcripts, see `asr_qat.text.normalizers`; None for that of the model
            whose tokenizer is given, else `plain`.
        byte_fallback: a trained vocabulary spells rare characters in bytes.

    Raises:
        UserError: neither a training split nor a tokenizer, a complete folder of other
            settings, no usable utterance, with `strict` a skipped one, with `merge` a
            missing shard, or a folder that another process prepares.
    """
    out = files.place(out)
    require(shards is None or shards >= 1, f"--shards {shards}: expected 1 or more")
    require(not (merge and part), "--merge: is a step of its own: omit --shard")
    require(
        not (byte_fallback and tokenizer is not None),
        "--byte-fallback: of a vocabulary that is trained: omit it or --tokenizer",
    )
    splits = _ordered(corpus)
    if "train" not in splits and tokenizer is None:
        raise UserError(
            f"{corpus.name}: no training utterances to make a vocabulary from: add some, or give "
            "the --tokenizer of a model to score it on these"
        )
    absent = [split for split in SPLITS if split not in splits]
    if absent and not quiet:
        _LOGGER.warning("%s: no utterances of %s: left out", corpus.name, " or ".join(absent))
    shared = overlaps(splits)
    _say(corpus, shared, quiet)
    front_end = LEVELLED_FRONT_END
    given = Tokenizer.load(tokenizer) if tokenizer is not None else None
    normalizer = normalizer or _normalizer_beside(tokenizer)
    check_training(normalizer)
    settings: dict[str, Any] = {
        "corpus": corpus.name,
        "vocab_size": None if given else vocab_size,
        "model_type": None if given else model_type,
        "tokenizer": given.checksum if given else None,
        "shards": shards,
        "front_end": front_end.to_json(),
        "utterances": _digest(splits),
        # Where they are not what folders without them were made with.
        **({} if normalizer == PLAIN else {"normalizer": normalizer}),
        **({"byte_fallback": True} if byte_fallback else {}),
    }
    with _alone(out, part):
        words = _begin(out, settings, given, splits)
        measured = _measured(splits)
        jobs = shard_jobs(
            splits,
            shards,
            measured,
            out=str(out),
            front_end=front_end,
            tokenizer=words.checksum,
            normalizer=normalizer,
        )
        own = jobs[part.index :: part.of] if part else jobs
        waiting = [job for job in own if not job.is_finished()]
        if merge and waiting:
            _refuse_missing(out, waiting, len(jobs))
        if waiting:
            (out / "corpus.json").unlink(missing_ok=True)  # not complete until it is written again
        _write(own, waiting, workers, quiet)
        reports = {
            split: [job.report() for job in group]
            for split, group in itertools.groupby(own, key=lambda job: job.split)
        }
        _say_skipped(out, reports, strict, quiet)
        if part is None:
            equal = equal_audio(reports)
            _say(corpus, equal, quiet)
            shared += equal
            finish(out, corpus, reports, measured, words, front_end, normalizer, shared)


@contextlib.contextmanager
def _alone(out: Path, part: Part | None) -> Iterator[None]:
    """Keep others from writing the folder, or of an array of machines from writing this part.

    Raises:
        UserError: they do so already; or the folder is a file.
    """
    require(not out.exists() or out.is_dir(), f"{out}: is no folder: choose another --out")
    if part is None:
        with locked(out / NAME):
            yield
    else:  # whoever writes a shard, its bytes are the same: only the folder has to be kept
        own = out / f".part-{part.index}-of-{part.of}{NAME}"
        with locked(out / NAME, shared=True, any_host=True), locked(own, any_host=True):
            yield


def _begin(
    out: Path,
    settings: dict[str, Any],
    given: Tokenizer | None,
    splits: dict[str, list[Utterance]],
) -> Tokenizer:
    """Write settings and vocabulary; the vocabulary. Machines that do so at once agree."""
    path = out / "settings.json"
    # Looked at first: another machine may write its settings, and then shards, meanwhile.
    ours = not out.exists() or (
        out.is_dir() and all(p.name in BEGUN or p.name.startswith(".") for p in out.iterdir())
    )
    before = files.read_json(path) if path.exists() else None
    if before is None:
        require(ours, f"{out}: exists and is not a prepared folder: choose another --out")
    finished = out / "tokenizer.model"
    if before == settings and finished.exists():
        return Tokenizer.load(finished)
    if (out / "corpus.json").exists():
        _refuse_other(out, before or {}, settings)
    words = given or _tokenizer(splits["train"], settings)
    words.save(finished)
    files.write_json(path, settings)
    return words


def _refuse_other(out: Path, before: dict[str, Any], settings: dict[str, Any]) -> None:
    """Raise `UserError` for a complete folder that was prepared with other settings."""
    for key in {**settings, **before}:
        then, now = before.get(key), settings.get(key)
        if then != now:
            shown = key in ("corpus", "vocab_size", "model_type", "shards")
            setting = f"{key} {then}, now {now}" if shown else f"other {key}"
            raise UserError(
                f"{out}: was prepared with {setting}: choose another --out or remove it"
            )


def _refuse_missing(out: Path, waiting: list[ShardJob], shards: int) -> None:
    """Raise `UserError` for shards that a merge lacks."""
    raise UserError(
        f"{out}: {len(waiting)} of {shards} shards are missing, {waiting[0].path.name} the "
        "first: run the parts that failed again, or prepare without --merge to write them here"
    )


def _tokenizer(train: list[Utterance], settings: dict[str, Any]) -> Tokenizer:
    change = training_normalizer(settings.get("normalizer", PLAIN))
    # Sorted, so that the order of the corpus does not matter to the vocabulary.
    return Tokenizer.train(
        sorted(change(utterance.text) for utterance in train),
        settings["vocab_size"],
        settings["model_type"],
        settings.get("byte_fallback", False),
    )


def _write(own: Sequence[ShardJob], waiting: list[ShardJob], workers: Workers, quiet: bool) -> None:
    """Write the shards that wait, with a bar over the utterances of them all."""
    total = sum(len(job.utterances) for job in own)
    left = sum(len(job.utterances) for job in waiting)
    bar = progress_bar("prepare", total=total, quiet=quiet, initial=total - left)
    try:
        if workers.in_this_process:
            for job in waiting:
                write_shard(job, bar.update)
            return
        for job, _ in run_jobs(write_shard, waiting, workers):
            bar.update(len(job.utterances))
    finally:
        bar.close()


def _say(corpus: Corpus, sentences: list[str], quiet: bool) -> None:
    if not quiet:
        for sentence in sentences:
            _LOGGER.warning("%s: %s", corpus.name, sentence)


def _say_skipped(out: Path, reports: dict[str, list[dict]], strict: bool, quiet: bool) -> None:
    """Name what was skipped. Raises `UserError` with `strict` if anything was."""
    parts = list(itertools.chain.from_iterable(reports.values()))
    skipped = [line for report in parts for line in report["skipped"]]
    if strict or not quiet:
        for line in skipped:
            _LOGGER.warning("skipped %s: %s", line["id"], line["detail"])
    if strict and skipped:
        total = len(skipped) + sum(len(report["utterances"]) for report in parts)
        raise UserError(
            f"{out}: {len(skipped)} of {counted(total, 'utterance')} cannot be used, listed above: "
            "mend them, or prepare without --strict"
        )


def _normalizer_beside(tokenizer: str | Path | None) -> str:
    """That of the model directory or the prepared folder in which a tokenizer lies."""
    if tokenizer is None:
        return PLAIN
    for name in ("config.json", "corpus.json"):
        path = files.place(tokenizer).with_name(name)
        content = files.read_json(path) if path.is_file() else None
        if isinstance(content, dict) and content.get("normalizer") in OF_TRAINING:
            return str(content["normalizer"])
    return PLAIN


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
        + ((utterance.offset, utterance.duration) if utterance.segment else ())
        for split, utterances in splits.items()
        for utterance in utterances
    ]
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()
