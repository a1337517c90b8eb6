"""Batches to find the ranges of activations in: training utterances as they are."""

import dataclasses

import tensorflow as tf

from asr_qat.corpora.dataset import DataConfig, Pipeline
from asr_qat.corpora.prepared import FeatureStats, PreparedFolder

BATCHES = 16  # of 8 utterances each


def calibration_batches(
    folder: PreparedFolder, stats: FeatureStats | None = None, seed: int = 0
) -> tf.data.Dataset:
    """Random utterances of the training split, not augmented, as `Pipeline` yields them.

    Args:
        folder: the corpus.
        stats: those that the model was trained with, if not the folder's own.
        seed: chooses the utterances.
    """
    config = dataclasses.replace(DataConfig(), speeds=(1.0,), spec_augment=None)
    return Pipeline(folder, config, seed, stats).training().take(BATCHES)
