"""Write `tests/data/nemo_features.npz`: features as NeMo and transformers compute them.

Run it in an environment of theirs: torch 2.13.0, nemo_toolkit[asr] 3.0.0 and the transformers that
comes with it.
"""

from pathlib import Path

import numpy as np
import torch
from nemo.collections.asr.modules import AudioToMelSpectrogramPreprocessor
from transformers import ParakeetFeatureExtractor

RATE = 16000


def recordings() -> dict[str, np.ndarray]:
    """int16 `[samples]`: vowels and noise, and what is short, silent or nearly so."""
    rng = np.random.default_rng(0)
    n = np.arange(8123)
    voice = sum(np.sin(2 * np.pi * 120 * k * n / RATE) / k for k in range(1, 40))
    voice *= 2500 * np.abs(np.sin(2 * np.pi * 3 * n / RATE))
    voice += rng.normal(0, 30, len(n))
    voice[6000:7000] = rng.normal(0, 2000, 1000)
    return {
        "voice": np.rint(voice).astype(np.int16),
        "after_silence": np.concatenate([np.zeros(2000), voice[:2000]]).astype(np.int16),
        "no_frame": np.full(159, 100, np.int16),
        "one_frame": np.full(319, 100, np.int16),
        "one_window": np.rint(voice[:400]).astype(np.int16),
        "silence": np.zeros(1600, np.int16),
    }


def main() -> None:
    """Write the file."""
    nemo = AudioToMelSpectrogramPreprocessor(
        window_size=0.025,
        window_stride=0.01,
        window="hann",
        normalize="per_feature",
        n_fft=512,
        features=80,
        dither=0.0,
        pad_to=0,
    )
    nemo.eval()
    transformers, found = ParakeetFeatureExtractor(), {}
    for name, pcm in recordings().items():
        audio = pcm.astype(np.float32) / 32768
        lengths = torch.tensor([len(audio)])
        features, frames = nemo(input_signal=torch.tensor(audio)[None], length=lengths)
        found[f"audio_{name}"] = pcm
        found[f"nemo_{name}"] = features[0, :, : int(frames[0])].T.numpy()
        batch = transformers(audio, sampling_rate=RATE, return_tensors="np")
        valid = batch["attention_mask"][0].astype(bool)
        found[f"transformers_{name}"] = batch["input_features"][0][valid]
    np.savez_compressed(Path(__file__).parent / "data/nemo_features.npz", **found)


if __name__ == "__main__":
    main()
