"""Corpora: readers, preparation, and the tf.data pipeline."""
