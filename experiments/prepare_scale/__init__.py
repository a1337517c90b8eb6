"""Preparing corpora: the layouts in which they lie, and how it grows with workers and stores."""
