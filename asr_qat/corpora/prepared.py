"""A prepared folder, as `asr-qat prepare` writes it and training reads it.

{train,dev,test}-00000-of-00002.tfrecord   tf.train.Example: id, audio (FLAC), samples,
                                           text, tokens
{train,dev,test}.jsonl                     id, audio_filepath, duration, text, speaker,
                                           offset if it is a segment of that file
stats.json                                 mean and std of the training split's features,
                                           of all features where there is no such split
tokenizer.model                            SentencePiece
corpus.json                                what it is, with sizes and checksums of the others:
                                           the folder is complete
SHA256SUMS                                 of `corpus.json`, see `asr_qat.folder_sums`

A folder without `train` is one to score a model on.
"""

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from asr_qat import files, folder_sums, plain_json
from asr_qat.config import from_dict
from asr_qat.corpora.feature_stats import FeatureStats, SavedStats
from asr_qat.corpora.file_facts import FileFacts, check_all
from asr_qat.errors import UserError, require
from asr_qat.text.normalizers import PLAIN, check_training, keeps_case
from asr_qat.text.tokenizer import Tokenizer

MOST_FACTS = 1 << 30  # bytes: `corpus.json` names all that was skipped
MOST_SHARDS = 10**6  # of shards: more than file systems like in a folder
MOST_SECONDS = 1e6  # of an utterance
UNREADABLE = "unreadable audio"  # why an utterance was skipped


class PreparedFolder:
    """Reads what `asr-qat prepare` wrote."""

    def __init__(self, path: str | Path) -> None:
        """Open the folder `path`. Raises `UserError` unless it is complete."""
        self.path = files.place(path)
        if not (self.path / "corpus.json").is_file():
            begun = (self.path / "settings.json").is_file()
            state = "preparation is incomplete" if begun else "not a prepared folder"
            raise UserError(f"{path}: {state}: run `asr-qat prepare --out {path}`")

    @functools.cached_property
    def corpus(self) -> dict:
        """`corpus.json`: name, description, licence, speakers, splits, skipped, files.

        And `normalizer`, if it is not that of the texts of any folder without. Folders of earlier
        versions have no `files`: nothing is known of them.
        """
        path = self.path / "corpus.json"
        folder_sums.check(self.path, path.name)
        content = files.read_json(path, MOST_FACTS)
        splits = content.get("splits") if isinstance(content, dict) else None
        whole = isinstance(splits, dict) and all(map(_is_split, splits.values()))
        whole = whole and isinstance(content.get("files", {}), dict)
        require(whole, f"{path}: damaged (no splits and shards in it): {self._again()}")
        for key in ("name", "description"):
            named = isinstance(content.get(key), str)
            require(named, f"{path}: damaged (no {key} in it): {self._again()}")
        return content

    @property
    def normalizer(self) -> str:
        """Name of the normaliser of the texts, see `asr_qat.text.normalizers`."""
        name = self.corpus.get("normalizer", PLAIN)
        try:
            check_training(name)
        except UserError as error:
            raise UserError(f"{self.path / 'corpus.json'}: {error}: {self._again()}") from None
        return str(name)

    @functools.cached_property
    def tokenizer(self) -> Tokenizer:
        """The vocabulary of the `tokens`."""
        self.check("tokenizer.model")
        tokenizer = Tokenizer.load(self.path / "tokenizer.model")
        return tokenizer.with_case() if keeps_case(self.normalizer) else tokenizer

    @functools.cached_property
    def stats(self) -> FeatureStats:
        """The training split's feature statistics."""
        self.check("stats.json")
        path = self.path / "stats.json"
        content = files.read_json(path)
        try:
            return from_dict(SavedStats, content, "damaged").stats("damaged")
        except UserError as error:
            raise UserError(f"{path}: {error}: {self._again()}") from None

    def shards(self, split: str) -> list[Path]:
        """The TFRecord files of `split`, in order.

        Raises:
            UserError: one is missing, or has another size than was prepared.
        """
        count = self._split(split)["shards"]
        paths = [self.path / shard_name(split, i, count) for i in range(count)]
        for path in paths:
            if not path.is_file():
                raise UserError(f"{path}: missing: {self._again()}")
            facts = self._facts(path.name)
            if facts is not None:
                facts.check_size(path)
        return paths

    def check(self, name: str) -> None:
        """Raise `UserError` if a small file of the folder is not as it was prepared."""
        facts = self._facts(name)
        if facts is None:
            return
        try:
            facts.check(self.path / name)
        except UserError as error:
            raise UserError(
                f"{error}; if you have changed it yourself, remove its line from `files` in "
                f"{self.path / 'corpus.json'}, and {folder_sums.SUMS}"
            ) from None

    def check_shards(self, splits: Iterable[str], quiet: bool = False) -> None:
        """Read all shards of these splits. Raises `UserError` if one is not as it was prepared."""
        paths = [path for split in splits for path in self.shards(split)]
        known = {path: facts for path in paths if (facts := self._facts(path.name)) is not None}
        check_all(known, quiet)

    def utterances(self, split: str) -> list[dict]:
        """The lines of `{split}.jsonl`, in the order of the shards."""
        self._split(split)
        path = self.path / f"{split}.jsonl"
        self.check(path.name)
        try:
            lines = [plain_json.parse(line) for line in files.read_lines(path)]
        except FileNotFoundError:
            raise UserError(f"{path}: missing: {self._again()}") from None
        except ValueError as error:
            raise UserError(f"{path}: damaged ({error}): {self._again()}") from None
        whole = all(map(_is_line, lines))
        require(whole, f"{path}: damaged (no text or duration): {self._again()}")
        return lines

    def damaged(self, split: str) -> UserError:
        """What to say when TensorFlow finds a shard of `split` damaged: names the first one."""
        import tensorflow as tf  # late: to open a folder takes no TensorFlow

        for path in self.shards(split):
            try:
                for _ in tf.data.TFRecordDataset(str(path)):
                    pass
            except tf.errors.DataLossError:
                return UserError(f"{path}: damaged shard: {self._again()}")
        return UserError(f"{self.path}: damaged shard of {split}: {self._again()}")

    def _split(self, split: str) -> dict:
        splits = self.corpus["splits"]
        if split not in splits:
            raise UserError(
                f"{self.path}: no split {split!r}: it has {', '.join(splits)}: prepare a corpus "
                "that has it"
            )
        return splits[split]

    def _facts(self, name: str) -> FileFacts | None:
        """What was prepared under this name, if the folder says so: see `corpus`."""
        facts = self.corpus.get("files", {}).get(name)
        where = f"{self.path / 'corpus.json'}: files: {name}"
        return None if facts is None else FileFacts.from_json(facts, where)

    def _again(self) -> str:
        return f"remove {self.path} and run `asr-qat prepare` again"


def _is_split(facts: Any) -> bool:
    """Whether `corpus.json` holds this of a split."""
    if not isinstance(facts, dict):
        return False
    shards, skipped = facts.get("shards"), facts.get("skipped", {})
    return (
        type(shards) is int
        and 1 <= shards <= MOST_SHARDS
        and isinstance(skipped, dict)
        and all(type(count) is int for count in skipped.values())
    )


def _is_line(line: Any) -> bool:
    """Whether a manifest holds this of an utterance."""
    if not (isinstance(line, dict) and isinstance(line.get("text"), str)):
        return False
    seconds = line.get("duration")
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        return False
    return 0 <= seconds <= MOST_SECONDS


def shard_name(split: str, index: int, count: int) -> str:
    """File name of shard `index` of `count`."""
    return f"{split}-{index:05d}-of-{count:05d}.tfrecord"
