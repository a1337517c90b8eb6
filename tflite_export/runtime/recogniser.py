"""Transcribe with a `.tflite` file. Needs LiteRT, numpy and sentencepiece; no TensorFlow."""

import functools
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from asr_qat.arrays import Array
from asr_qat.audio.front_end import log_mel, normalize, subsampled_length
from asr_qat.audio.heard import heard
from asr_qat.decoding.ctc_beam import beam_ctc
from asr_qat.decoding.ctc_greedy import merged
from asr_qat.decoding.fusion import Fusion
from asr_qat.decoding.hypothesis import Hypothesis
from asr_qat.decoding.recognition import Recognition, recognise_ctc, recognise_transducer
from asr_qat.decoding.transducer_beam import beam_transducer
from asr_qat.decoding.transducer_greedy import greedy_transducer
from asr_qat.errors import UserError, require
from tflite_export.runtime.graph_check import (
    JOIN,
    PREDICT,
    check_graph,
    encode_signatures,
    state_units,
)
from tflite_export.runtime.integers import dequantized, quantized
from tflite_export.runtime.least_runtime import require_runtime
from tflite_export.runtime.litert_steps import LiteRTSteps
from tflite_export.runtime.metadata import read_metadata_of
from tflite_export.runtime.model_file import ModelFile
from tflite_export.runtime.shared_signatures import SharedSignatures
from tflite_export.runtime.signatures import InterpretedSignatures, Signatures
from tflite_export.runtime.weight_cache import cached_signatures
from tflite_export.runtime.widen import AUTO, Widen, as_computed

CONTEXT_S = 1.0  # of a window that its neighbours overlap, on either side


class TFLiteRecogniser:
    """A recogniser in one file: a CTC model or a transducer.

    An utterance is padded to the shortest signature that holds it. One that is longer than
    all signatures is cut into windows that overlap by `CONTEXT_S`, and the encoded frames of
    the overlaps are taken from the window in which they lie further inside.

    Any number of threads may use one recogniser. Calls of a signature take turns, at most
    `parallel` at a time, see `tflite_export.runtime.shared_signatures`; features and search are
    computed side by side. A process may fork after it was loaded.

    Args:
        path: `.tflite` made by `tflite-export convert`. It is read once: whatever happens to the
            file later does not matter.
        threads: CPU threads of one call.
        weight_cache: keep the packed weights in a file that processes share, see
            `tflite_export.runtime.weight_cache`; not those of a full-integer file.
        verify: refuse a file whose checksum is wrong.
        parallel: calls at the same time. Each takes an interpreter of its own, whose packed weights
            need about the memory of the file, or little with `weight_cache`. Small models gain
            little from more than one, see `results/threads.md`.
        widen: bits that 2-bit weights are widened to in memory, see `tflite_export.runtime.widen`:
            4, 8, `no`, or `auto`, 4 where that is faster.

    Attributes:
        signatures: of the file.
        steps: prediction and joint network of a transducer, None for a CTC model.
        live: whether it is the file of a live model, read by `tflite_export.runtime.live`.
        bytes: of the file.

    Raises:
        UserError: no such file, damaged, without metadata, or with metadata that do not belong to
            its graph; or nothing in it that is to be widened.
    """

    def __init__(
        self,
        path: str | Path,
        threads: int = 1,
        weight_cache: bool = False,
        *,
        verify: bool = True,
        parallel: int = 1,
        widen: Widen = AUTO,
    ):
        require(parallel >= 1, f"parallel: {parallel} is less than 1")
        self.path, self.threads = Path(path), threads
        file = ModelFile.read(path, verify)
        self.bytes = len(file.content)
        self.metadata = read_metadata_of(file)
        require_runtime(path, self.metadata.least_runtime)
        file = as_computed(file, widen)
        try:
            load = _loader(file, threads, weight_cache and self.metadata.full_integer is None)
        except (ValueError, RuntimeError) as error:
            raise UserError(f"{path}: LiteRT cannot load it: {error}") from None
        del file  # with a weight cache LiteRT maps a copy
        self.signatures: Signatures = SharedSignatures(self.path, load, parallel, threads)
        check_graph(self.path, self.metadata, self.signatures)
        names = self.signatures.names()
        self._lengths = encode_signatures(names)
        self.live = self.metadata.live is not None
        self.steps = None
        if JOIN in names:
            states = state_units(self.signatures.inputs(PREDICT))
            blank, durations = self.metadata.tokenizer.blank, self.metadata.durations
            self.steps = LiteRTSteps(self.call, blank, states, durations)

    @property
    def lengths(self) -> list[int]:
        """Feature frames of the encode signatures, ascending."""
        return sorted(self._lengths)

    def warm_up(self) -> None:
        """Run every signature once: the first run of each packs its weights."""
        for length in self.lengths:
            features = np.zeros((length, self.metadata.front_end.mel_bins), np.float32)
            encoded = self._encode(features)
        if self.steps is not None:
            recognise_transducer(self.steps, encoded[:1])

    def features(self, audio: Array) -> Array:
        """Audio `[samples]` in [-1, 1) to normalised log-mel features `[frames, mel_bins]`."""
        front_end = self.metadata.front_end
        mels = log_mel(audio, front_end)
        return normalize(mels, front_end, self.metadata.mean, self.metadata.std, out=mels)

    def encode(self, features: Array) -> Array:
        """What the search reads.

        Args:
            features: `[frames, mel_bins]`, normalised.

        Returns:
            `[encoded frames, channels]`, see `subsampled_length`: a CTC model's logits, or what
            a transducer's joint network reads.
        """
        windows = list(self.windows(features))
        return windows[0] if len(windows) == 1 else np.concatenate(windows)

    def windows(self, features: Array) -> Iterator[Array]:
        """What `encode` returns, one window after the other."""
        require(not self.live, f"{self.path}: a live model, which takes streams")
        longest = self.lengths[-1]
        if len(features) <= longest:
            yield self._encode(features)
            return
        front_end, factor = self.metadata.front_end, self.metadata.subsampling_factor
        context = round(CONTEXT_S * 1000 / front_end.hop_ms)
        context -= context % factor
        context = min(context, longest // 4 // factor * factor)
        step = (longest - 2 * context) // factor * factor
        for start in itertools.count(0, step):
            window = self._encode(features[start : start + longest])
            first = context if start else 0
            last = start + longest >= len(features)
            end = len(window) if last else (step + context) // factor
            yield window[first // factor : end]
            if last:
                return

    def recognise(self, features: Array) -> Recognition:
        """Greedy search in normalised features `[frames, mel_bins]`."""
        encoded = self.encode(features)
        if self.steps is None:
            return recognise_ctc(encoded)
        return recognise_transducer(self.steps, encoded)

    def tokens(self, features: Array) -> list[int]:
        """What `recognise` finds, without its logits: of a CTC model those of a window at once."""
        if self.steps is None:
            best = [window.argmax(axis=-1) for window in self.windows(features)]
            return merged(np.concatenate(best), self.metadata.tokenizer.blank)
        encoded = self.encode(features)
        (tokens,) = greedy_transducer(self.steps, encoded[None], np.array([len(encoded)]))
        return tokens

    def beam_search(
        self, features: Array, beam: int, nbest: int = 1, fusion: Fusion | None = None
    ) -> list[Hypothesis]:
        """The `nbest` best hypotheses, the best one first.

        Args:
            features: `[frames, mel_bins]`, normalised.
            beam: hypotheses that the search keeps.
            nbest: how many are returned, at most `beam`.
            fusion: what a language model and hotwords add.
        """
        return self.search(self.encode(features), beam, nbest, fusion)

    def search(
        self, encoded: Array, beam: int, nbest: int = 1, fusion: Fusion | None = None
    ) -> list[Hypothesis]:
        """The same of what `encode` returns."""
        if self.steps is None:
            return beam_ctc(encoded, beam, nbest, fusion)
        lengths = np.array([len(encoded)])
        (found,) = beam_transducer(
            self.steps, encoded[None], lengths, beam, nbest=nbest, fusion=fusion
        )
        return found

    def transcribe(self, audio: str | Path | Array, beam: int = 0) -> str:
        """The text spoken in `audio`.

        Args:
            audio: a file, or samples at the front end's rate, see `asr_qat.audio.heard`.
            beam: hypotheses that the search keeps; 0 for greedy search.
        """
        features = self.features(heard(audio, self.metadata.front_end.sample_rate))
        if len(features) == 0:
            return ""
        if beam:
            tokens = list(self.beam_search(features, beam)[0].tokens)
        else:
            tokens = self.tokens(features)
        return self.metadata.tokenizer.decode(tokens)

    def call(self, signature: str, **inputs: Array) -> dict[str, Array]:
        """Run a signature: its outputs by name."""
        return self.signatures.run(signature, inputs)

    def _encode(self, features: Array) -> Array:
        frames = len(features)
        length = next(n for n in self.lengths if n >= frames)
        padded = np.zeros((1, length, features.shape[1]), np.float32)
        padded[0, :frames] = features
        encode = self._encode_integers if self.metadata.full_integer else self._encode_floats
        encoded = encode(self._lengths[length], padded, frames)
        return encoded[0, : subsampled_length(frames, self.metadata.halvings)]

    def _encode_floats(self, signature: str, features: Array, frames: int) -> Array:
        found = self.call(signature, features=features, lengths=np.array([frames], np.int32))
        (encoded,) = found.values()
        return encoded

    def _encode_integers(self, signature: str, features: Array, frames: int) -> Array:
        """A full-integer file takes a mask of the frames and leaves scaling to its caller."""
        inputs, outputs = self.signatures.inputs(signature), self.signatures.outputs(signature)
        mask = (np.arange(features.shape[1]) < frames).astype(np.float32)[None]
        found = self.call(
            signature,
            features=quantized(features, inputs["features"]),
            mask=quantized(mask, inputs["mask"]),
        )
        return dequantized(found["logits"], outputs["logits"])


def _loader(file: ModelFile, threads: int, weight_cache: bool) -> Callable[[], Signatures]:
    if weight_cache:
        return cached_signatures(file, threads)
    return functools.partial(InterpretedSignatures, file.content, threads)
