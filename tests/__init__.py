"""Tests. Each process computes with one thread: there are as many processes as cores."""

import os

for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before TensorFlow and numpy are loaded
