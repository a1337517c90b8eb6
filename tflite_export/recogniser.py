"""Transcribe with a `.tflite` file. Needs LiteRT, numpy and sentencepiece; no TensorFlow."""

import os
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from asr_qat.audio.front_end import HALVINGS, log_mel, normalize, subsampled_length
from asr_qat.decoding.greedy import greedy_ctc
from asr_qat.errors import UserError
from tflite_export.metadata import read_metadata
from tflite_export.silence import silence

CONTEXT_S = 1.0  # of a window that its neighbours overlap, on either side
SUBSAMPLING = 2**HALVINGS  # feature frames to one frame of logits


class TFLiteRecogniser:
    """A recogniser in one file.

    An utterance is padded to the shortest signature that holds it. One that is longer than
    all signatures is cut into windows that overlap by `CONTEXT_S`, and the logits of the
    overlaps are taken from the window in which they lie further inside.

    Args:
        path: `.tflite` made by `tflite-export convert`.
        threads: CPU threads.

    Raises:
        UserError: no such file, damaged, or without metadata.
    """

    def __init__(self, path: str | Path, threads: int = 1):
        self.path = Path(path)
        self.metadata = read_metadata(path)
        self.threads = threads
        try:
            with silence():
                self.interpreter = Interpreter(model_path=os.fspath(path), num_threads=threads)
        except (ValueError, RuntimeError) as error:
            raise UserError(f"{path}: LiteRT cannot load it: {error}") from None
        self._runners: dict = {}
        self._lengths = {
            int(name.removeprefix("encode_")): name
            for name in self.interpreter.get_signature_list()
        }

    @property
    def lengths(self) -> list[int]:
        """Feature frames of the signatures, ascending."""
        return sorted(self._lengths)

    def warm_up(self) -> None:
        """Run every signature once: the first run of each packs its weights."""
        for length in self.lengths:
            self._run(np.zeros((length, self.metadata.front_end.mel_bins), np.float32))

    def features(self, audio: np.ndarray) -> np.ndarray:
        """Audio `[samples]` in [-1, 1) to normalised log-mel features `[frames, mel_bins]`."""
        mels = log_mel(audio, self.metadata.front_end)
        return normalize(mels, self.metadata.mean, self.metadata.std)

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Features `[frames, mel_bins]` to logits `[ceil(ceil(frames / 2) / 2), classes]`."""
        longest = self.lengths[-1]
        if len(features) <= longest:
            return self._run(features)
        front_end = self.metadata.front_end
        context = round(CONTEXT_S * 1000 / front_end.hop_ms)
        context -= context % SUBSAMPLING
        context = min(context, longest // 4 // SUBSAMPLING * SUBSAMPLING)
        step = (longest - 2 * context) // SUBSAMPLING * SUBSAMPLING
        pieces, start = [], 0
        while True:
            window = self._run(features[start : start + longest])
            first = context if start else 0
            last = start + longest >= len(features)
            end = len(window) if last else (step + context) // SUBSAMPLING
            pieces.append(window[first // SUBSAMPLING : end])
            if last:
                return np.concatenate(pieces)
            start += step

    def transcribe(self, audio: np.ndarray) -> str:
        """The text spoken in `audio`: float32 `[samples]` in [-1, 1) at the front end's rate."""
        features = self.features(audio)
        if len(features) == 0:
            return ""
        tokenizer = self.metadata.tokenizer
        return tokenizer.decode(greedy_ctc(self.logits(features), tokenizer.blank))

    def _run(self, features: np.ndarray) -> np.ndarray:
        frames = len(features)
        length = next(n for n in self.lengths if n >= frames)
        padded = np.zeros((1, length, features.shape[1]), np.float32)
        padded[0, :frames] = features
        given = {"features": padded, "lengths": np.array([frames], np.int32)}
        if length in self._runners:
            result = self._runners[length](**given)
        else:
            with silence():  # LiteRT announces its delegate at the first call
                runner = self.interpreter.get_signature_runner(self._lengths[length])
                result = runner(**given)
            self._runners[length] = runner
        return result["logits"][0, : subsampled_length(frames)]
