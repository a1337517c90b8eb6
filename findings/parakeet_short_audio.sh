#!/usr/bin/env bash
# Features of very short audio in transformers 5.24.0, ParakeetFeatureExtractor.
#
# Each utterance is normalised by its own mean and deviation, the latter of n - 1 frames. Seen:
#
#   samples  frames   features
#   319      1        all NaN
#   320      2        finite
#
# With one frame it divides by zero. NeMo, from which the features are taken over, sets the deviation
# to zero there, so that all features are 0. One recording of 10 to 20 ms is enough to make the
# logits of its row NaN.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    transformers==5.24.0 librosa==0.11.0 torch==2.13.0
cat >"$folder/short.py" <<'PYTHON'
import numpy as np
from transformers import ParakeetFeatureExtractor

extract = ParakeetFeatureExtractor()
for samples in (319, 320):
    audio = np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32)
    batch = extract(audio, sampling_rate=16000, return_tensors="np")
    valid = batch["attention_mask"][0].astype(bool)
    found = batch["input_features"][0][valid]
    print(samples, "samples,", len(found), "frames, finite:", bool(np.isfinite(found).all()))
PYTHON
"$folder/venv/bin/python" -W ignore "$folder/short.py"
