"""A prepared folder, as `asr-qat prepare` writes it and training reads it.

{train,dev,test}-00000-of-00002.tfrecord   tf.train.Example: id, audio (FLAC), samples,
                                           text, tokens
{train,dev,test}.jsonl                     id, audio_filepath, duration, text, speaker,
                                           offset if it is a segment of that file
stats.json                                 mean and std of the training split's features,
                                           of all features where there is no such split
tokenizer.model                            SentencePiece
corpus.json                                what it is, with sizes and checksums of the others;
                                           written last: the folder is complete

A folder without `train` is one to score a model on.
"""

import dataclasses
import functools
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from asr_qat import files
from asr_qat.audio.front_end import FrontEndConfig
from asr_qat.corpora.file_facts import FileFacts, check_all
from asr_qat.errors import UserError, require
from asr_qat.text.normalizers import PLAIN, check_training, keeps_case
from asr_qat.text.tokenizer import Tokenizer

UNREADABLE = "unreadable audio"  # why an utterance was skipped


@dataclasses.dataclass(frozen=True)
class FeatureStats:
    """Statistics of the training split's features, see above.

    Attributes:
        mean: float32 `[mel_bins]`.
        std: float32 `[mel_bins]`.
        frames: number of frames that they were computed from.
        front_end: the front end that made the features.
    """

    mean: np.ndarray
    std: np.ndarray
    frames: int
    front_end: FrontEndConfig


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
        content = files.read_json(path)
        splits = content.get("splits") if isinstance(content, dict) else None
        whole = isinstance(splits, dict) and all(
            isinstance(facts, dict) and isinstance(facts.get("shards"), int)
            for facts in splits.values()
        )
        whole = whole and isinstance(content.get("files", {}), dict)
        require(whole, f"{path}: damaged (no splits and shards in it): {self._again()}")
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
        content = files.read_json(self.path / "stats.json")
        try:
            return FeatureStats(
                mean=np.array(content["mean"], np.float32),
                std=np.array(content["std"], np.float32),
                frames=content["frames"],
                front_end=FrontEndConfig(**content["front_end"]),
            )
        except (KeyError, TypeError, ValueError, UserError) as error:
            raise UserError(
                f"{self.path / 'stats.json'}: damaged ({error}): {self._again()}"
            ) from None

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
                f"{self.path / 'corpus.json'}"
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
            lines = [json.loads(line) for line in files.read_lines(path)]
        except FileNotFoundError:
            raise UserError(f"{path}: missing: {self._again()}") from None
        except ValueError as error:
            raise UserError(f"{path}: damaged ({error}): {self._again()}") from None
        whole = all(
            isinstance(line, dict) and {"text", "duration"} <= line.keys() for line in lines
        )
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


def shard_name(split: str, index: int, count: int) -> str:
    """File name of shard `index` of `count`."""
    return f"{split}-{index:05d}-of-{count:05d}.tfrecord"
