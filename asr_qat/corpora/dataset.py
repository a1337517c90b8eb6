"""From a prepared folder to the batches that `model.fit` takes.

The batch of each training step is a function of the seed and the number of the step: a
resumed training asks for the same batches.
"""

import functools

import numpy as np
import tensorflow as tf

from asr_qat.audio.augment import (
    add_noise,
    change_speed,
    random_channel,
    samples_at_speed,
    spec_augment,
)
from asr_qat.audio.log_mel import log_mel, normalize
from asr_qat.audio.reverberation import reverberate, rooms_of
from asr_qat.corpora.data_config import DataConfig
from asr_qat.corpora.feature_stats import FeatureStats
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.corpora.records import lengths_of, utterance_of
from asr_qat.errors import require
from asr_qat.losses.targets import PADDING, pack_targets

SHUFFLE_BLOCK = 4096  # utterances, when the corpus is streamed from disk
_LAST_FEATURES: dict[tuple, tuple] = {}  # those of the latest training with `cache`, see below


class Pipeline:
    """Batches of one prepared folder.

    Every dataset yields `((features, lengths), targets)`: float32 `[batch, time, mel_bins]`,
    normalised; int32 `[batch]`; int32 `[batch, 1 + labels]`, see `pack_targets`.
    """

    def __init__(
        self,
        folder: PreparedFolder,
        config: DataConfig,
        seed: int = 0,
        stats: FeatureStats | None = None,
    ):
        """Take the folder; `stats` are those that the model was trained with, if not its own.

        Raises:
            UserError: audio of another rate than the model's, or a gain that it would not hear.
        """
        self.folder = folder
        self.config = config
        self.seed = seed
        stats = stats or folder.stats
        self.front_end = stats.front_end
        own, wanted = folder.stats.front_end.sample_rate, self.front_end.sample_rate
        require(own == wanted, f"{folder.path}: has {own} Hz, the model hears {wanted} Hz")
        require(
            not config.gain or self.front_end.normalization == "corpus",
            "batches.gain: the model's front end normalises each utterance, which takes any gain "
            "away: omit it",
        )
        self._mean = tf.constant(stats.mean)
        self._std = tf.constant(stats.std)
        if config.reverberation is not None:
            rate = self.front_end.sample_rate
            self._rooms = tf.constant(rooms_of(config.reverberation, rate, seed))

    def evaluation(self, split: str) -> tf.data.Dataset:
        """Every utterance of `split` once, in the order of the manifest, not augmented."""
        records = tf.data.TFRecordDataset(self.folder.shards(split))
        items = records.map(utterance_of, tf.data.AUTOTUNE).map(
            lambda item: (self._features(item["audio"]), item["tokens"]), tf.data.AUTOTUNE
        )
        return (
            items.map(lambda x, y: (x, tf.shape(x)[0], y))
            .padded_batch(self.config.batch_size, padding_values=(0.0, 0, PADDING))
            .map(_to_keras)
            .prefetch(2)
        )

    @functools.cached_property
    def batches_per_pass(self) -> int:
        """Training batches that count as one pass, from the durations in the manifest."""
        limits, sizes = self.config.bucket_seconds, self._bucket_sizes()
        seconds = [utterance["duration"] for utterance in self.folder.utterances("train")]
        filled = np.bincount(np.searchsorted(limits, seconds), minlength=len(sizes))
        return int(sum(-(-count // size) for count, size in zip(filled, sizes, strict=True)))

    def training(self, step: int = 0) -> tf.data.Dataset:
        """Augmented batches without end, from the batch of the given step on.

        Each pass has another order and other augmentations. How many batches the buckets
        yield varies a little, so a pass is cut, or begun again, at `batches_per_pass`.
        """
        return self.training_rows(step).map(self.compute, tf.data.AUTOTUNE).prefetch(4)

    def training_rows(self, step: int = 0) -> tf.data.Dataset:
        """What `compute` makes the batches of `training` from: one row for each utterance.

        Which utterances a batch has follows from their lengths: none is decoded here.
        """
        count = self.batches_per_pass
        first = tf.constant(step % count, tf.int64)
        examples = self._cached_examples() if self.config.cache else self._streamed_examples

        def one_pass(number):
            seed = tf.stack([tf.constant(self.seed, tf.int64), number])
            batches = self._bucket(self._join(examples, seed)).repeat().take(count)
            return batches.skip(tf.where(number == step // count, first, tf.zeros_like(first)))

        return tf.data.Dataset.counter(step // count).flat_map(one_pass)

    def compute(self, rows):
        """`((features, lengths), targets)` of some rows of a batch of `training_rows`."""
        longest = rows["longest"][0]
        features = tf.map_fn(
            lambda parts: self._row(parts, longest),
            rows["parts"],
            fn_output_signature=tf.TensorSpec([None, self.front_end.mel_bins], tf.float32),
        )
        return _to_keras(features, rows["frames"], rows["labels"])

    def _row(self, parts, longest):
        """Features `[longest, mel_bins]` of the one or two utterances of a row."""
        first = {key: values[0] for key, values in parts.items()}
        features = self._part(first)
        if self.config.join:
            second = {key: values[1] for key, values in parts.items()}
            more = tf.cond(
                second["item"] == _nothing(second["item"]),
                lambda: tf.zeros([0, self.front_end.mel_bins]),
                lambda: self._part(second),
            )
            features = tf.concat([features, more], axis=0)
        return tf.pad(features, [[0, longest - tf.shape(features)[0]], [0, 0]])

    def _part(self, part):
        """Augmented features of one utterance, from memory or from its record."""
        item, choice, seed = part["item"], part["choice"], part["seed"]
        if self.config.cache:
            frames, offsets, _ = self._all_features()
            version = item * len(self.config.speeds) + choice
            return self._augment(frames[offsets[version] : offsets[version + 1]], seed)
        audio = utterance_of(item)["audio"]
        features = tf.switch_case(
            tf.cast(choice, tf.int32),
            [
                lambda speed=speed: self._features(audio, speed, seed + 7)
                for speed in self.config.speeds
            ],
        )
        return self._augment(features, seed + 2)

    def _features(self, audio, speed: float = 1.0, seed=None):
        """Normalised features; with a `seed` of what is heard in training: rooms, noise."""
        audio = change_speed(audio, speed)
        if seed is not None and self.config.reverberation is not None:
            audio = reverberate(audio, seed + 11, self.config.reverberation, self._rooms)
        if seed is not None and self.config.noise is not None:
            audio = add_noise(audio, seed, self.config.noise)
        return normalize(log_mel(audio, self.front_end), self.front_end, self._mean, self._std)

    def _augment(self, features, seed):
        if self.config.gain:
            features += random_channel(seed + 2, self.config.gain, features.shape[1]) / self._std
        if self.config.spec_augment is None:
            return features
        return spec_augment(features, seed, self.config.spec_augment)

    def _join(self, examples, seed):
        """Append an utterance of a second random order to some of those of the first."""
        if not self.config.join:
            return examples(seed)

        def append(index, pair):
            (first, frames, labels), (second, more_frames, more_labels) = pair
            chance = tf.random.stateless_uniform([], seed + tf.stack([3, index]))
            joined = chance < self.config.join
            parts = {
                key: tf.concat([value, tf.where(joined, second[key], _nothing(value))], axis=0)
                for key, value in first.items()
            }
            frames += tf.where(joined, more_frames, 0)
            more_labels = more_labels[: tf.where(joined, tf.size(more_labels), 0)]
            return parts, frames, tf.concat([labels, more_labels], axis=0)

        pairs = tf.data.Dataset.zip((examples(seed), examples(seed + 1_000_003)))
        return pairs.enumerate().map(append)

    def _cached_examples(self):
        """Of features of all speeds in memory; a pass is a random order of indices."""
        _, offsets, tokens = self._all_features()
        labels = tf.ragged.constant(tokens, dtype=tf.int32, row_splits_dtype=tf.int64)
        speeds, count = len(self.config.speeds), len(tokens)

        def example(utterance, choice, seed):
            version = utterance * speeds + choice
            frames = tf.cast(offsets[version + 1] - offsets[version], tf.int32)
            return _one_part(utterance, choice, seed), frames, labels[utterance]

        def examples(seed):
            order = tf.argsort(tf.random.stateless_uniform([count], seed))
            choice = tf.random.stateless_uniform([count], seed + 1, 0, speeds, tf.int64)
            seeds = tf.random.stateless_uniform([count, 2], seed + 2, None, None, tf.int64)
            order = tf.cast(order, tf.int64)
            return tf.data.Dataset.from_tensor_slices((order, choice, seeds)).map(
                example, tf.data.AUTOTUNE
            )

        return examples

    def _all_features(self) -> tuple[tf.Tensor, tf.Tensor, list[np.ndarray]]:
        """Of the training split: frames `[frames, mel_bins]`, offsets and the tokens.

        Version `speed` of an utterance begins at `offsets[utterance * speeds + speed]`. A process
        that trains again on the same features, as a study does, finds them in memory.
        """
        paths = self.folder.shards("train")
        key = (
            *((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in paths),
            self.config.speeds,
            self.config.noise,
            self.config.reverberation,
            (self.config.noise or self.config.reverberation) and self.seed,
            self.front_end,
            self._mean.numpy().tobytes(),
            self._std.numpy().tobytes(),
        )
        if key not in _LAST_FEATURES:
            _LAST_FEATURES.clear()  # first: both would not fit
            _LAST_FEATURES[key] = self._compute_features([str(path) for path in paths])
        return _LAST_FEATURES[key]

    def _compute_features(self, shards: list[str]):
        def versions_of(index, item):
            seed = tf.stack([tf.constant(self.seed, tf.int64), index])
            return tuple(
                self._features(item["audio"], speed, seed + number * 1_000_003)
                for number, speed in enumerate(self.config.speeds)
            ), item["tokens"]

        records = tf.data.TFRecordDataset(shards).map(utterance_of, tf.data.AUTOTUNE)
        items = records.enumerate().map(versions_of, tf.data.AUTOTUNE)
        features, tokens = [], []
        for versions, labels in items.as_numpy_iterator():
            features.extend(versions)
            tokens.append(labels)
        offsets = np.concatenate([[0], np.cumsum([len(f) for f in features])])
        return tf.constant(np.concatenate(features)), tf.constant(offsets, tf.int64), tokens

    def _streamed_examples(self, seed):
        """Features computed on the way, from shards in random order, shuffled in blocks."""
        shards = tf.constant([str(path) for path in self.folder.shards("train")])
        order = tf.argsort(tf.random.stateless_uniform(tf.shape(shards), seed))
        records = (
            tf.data.Dataset.from_tensor_slices(tf.gather(shards, order))
            .interleave(tf.data.TFRecordDataset, cycle_length=4)
            .batch(SHUFFLE_BLOCK)
            # Not `shuffle`: its seed cannot be a tensor, and a pass's is known when it begins.
            .map(lambda block: tf.random.experimental.stateless_shuffle(block, seed + 3))
            .unbatch()
        )

        def example(index, record):
            item = lengths_of(record)
            seeds = tf.random.experimental.stateless_fold_in(seed, index)
            speeds = self.config.speeds
            choice = tf.random.stateless_uniform([], seeds, 0, len(speeds), tf.int32)
            lengths = [samples_at_speed(item["samples"], speed) for speed in speeds]
            frames = self.front_end.frames(tf.stack(lengths)[choice])
            return _one_part(record, choice, seeds), frames, item["tokens"]

        return records.enumerate().map(example, tf.data.AUTOTUNE)

    def _bucket(self, examples):
        """Batches of utterances of similar length, padded to the longest."""
        rate = 1000.0 / self.front_end.hop_ms
        limits = list(self.config.bucket_seconds)
        batches = examples.bucket_by_sequence_length(
            lambda parts, frames, labels: frames,
            bucket_boundaries=[int(limit * rate) + 1 for limit in limits],
            bucket_batch_sizes=self._bucket_sizes(),
            padding_values=(None, 0, PADDING),
        )

        def rows(parts, frames, labels):
            longest = tf.fill(tf.shape(frames), tf.reduce_max(frames))
            return {"parts": parts, "frames": frames, "longest": longest, "labels": labels}

        return batches.map(rows)

    def _bucket_sizes(self) -> list[int]:
        """Utterances in a batch of each bucket; the last bucket has no upper limit."""
        limits = self.config.bucket_seconds
        return [
            max(1, min(self.config.batch_size, int(self.config.batch_seconds / limit)))
            for limit in [*limits, 2 * limits[-1]]
        ]


def _one_part(item, choice, seed):
    """An utterance by index or record, at which speed, augmented with which seed; `[1]` each."""
    return {"item": item[None], "choice": choice[None], "seed": seed[None]}


def _nothing(item):
    """In place of the second utterance in a row of one: no record, no index."""
    return tf.constant("" if item.dtype == tf.string else -1, item.dtype)


def _to_keras(features, lengths, labels):
    return (features, lengths), pack_targets(lengths, labels)
