"""Preparing corpora: the layouts in which they lie, and how fast they are prepared."""
