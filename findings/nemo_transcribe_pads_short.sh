#!/usr/bin/env bash
# What does NeMo's transcribe() hear of a short recording? nemo_toolkit 3.0.0, torch 2.13.0, CPU.
#
# transcribe() of arrays fills every recording that is shorter than a second with zeros up to a
# second, in the middle of the dataset, where no argument shows it. A network whose features are
# normalised per utterance (`normalize: per_feature`, as in all published Conformers) then takes
# the mean and the deviation of speech and silence together: other features, at times another text,
# than the same network gives for the same samples by preprocessor, encoder and decoder. Of 130
# test utterances of CMU AN4 two had another text. Seen: 12,800 samples go in, the preprocessor
# gets 16,000. The default configuration of transcribe() has no field for it, but reads one that is
# set: with `pad_min_duration = 0.0` the preprocessor gets 12,800.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    torch==2.13.0 "nemo_toolkit[asr]==3.0.0"
cat >"$folder/pads.py" <<'PYTHON'
import os

os.environ["HF_HUB_OFFLINE"] = "1"
import nemo.collections.asr as nemo_asr
import numpy as np
from omegaconf import OmegaConf

MODULES = "nemo.collections.asr.modules."
labels = list(" abcdefghijklmnopqrstuvwxyz'")
config = {
    "sample_rate": 16000,
    "labels": labels,
    "preprocessor": {
        "_target_": MODULES + "AudioToMelSpectrogramPreprocessor",
        "normalize": "per_feature",
        "window_size": 0.025,
        "features": 80,
    },
    "encoder": {
        "_target_": MODULES + "ConformerEncoder",
        "feat_in": 80,
        "n_layers": 1,
        "d_model": 16,
        "n_heads": 2,
        "subsampling": "striding",
        "subsampling_factor": 4,
    },
    "decoder": {
        "_target_": MODULES + "ConvASRDecoder",
        "feat_in": 16,
        "num_classes": len(labels),
        "vocabulary": labels,
    },
}
model = nemo_asr.models.EncDecCTCModel(cfg=OmegaConf.create(config)).eval()
heard = []
model.preprocessor.register_forward_pre_hook(
    lambda module, args, kwargs: heard.append(int(kwargs["length"][0])), with_kwargs=True
)
audio = np.random.default_rng(0).standard_normal(12800).astype(np.float32) / 10
model.transcribe([audio], batch_size=1, verbose=False)
asked = model.get_transcribe_config()
assert not hasattr(asked, "pad_min_duration")
asked.verbose, asked.pad_min_duration = False, 0.0
model.transcribe([audio], override_config=asked)
print("samples given", len(audio), "heard", heard)
assert heard == [16000, 12800]
PYTHON
"$folder/venv/bin/python" "$folder/pads.py" 2>/dev/null | grep "samples given"
