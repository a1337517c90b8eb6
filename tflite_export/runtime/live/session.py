"""A live session: audio in pieces of any length in, words out, hour after hour."""

import time
from collections.abc import Callable, Sequence
from typing import Literal

from asr_qat.arrays import Array
from asr_qat.audio.front_end import normalize
from asr_qat.audio.heard import one_channel
from asr_qat.audio.streaming_log_mel import StreamingLogMel
from asr_qat.decoding.transducer_incremental import Emission, begin_search
from tflite_export.runtime.live.encoder import split_steps
from tflite_export.runtime.live.endpoint import EndpointConfig
from tflite_export.runtime.live.events import Event, Transcript
from tflite_export.runtime.live.live_model import LiveModel
from tflite_export.runtime.live.utterance import Utterance
from tflite_export.runtime.live.watch import Watch
from tflite_export.runtime.live.words import Word, words_of


class Session:
    """One stream of audio and the utterances in it.

    Audio is taken in whole frames of the encoder, in its longest steps as far as what has arrived
    allows. Words and times do not depend on how the audio is cut, up to the rounding between
    steps of different lengths. At an endpoint the utterance is finished and the next one begins
    with the very next frame. What it keeps is the words of the current utterance, not longer than
    `EndpointConfig.longest_s`, and less than a frame of audio.

    Not for several threads at once. Several sessions may share a model, each in a thread of its own
    too.

    Args:
        model: the recogniser.
        endpoint: when an utterance ends.
        clock: seconds, to notice late chunks.

    Attributes:
        utterance: the one at hand, in both passes.
        ended: the one before it, None if there was none.
        offset: frames of the stream before the one at hand.
    """

    def __init__(
        self,
        model: LiveModel,
        endpoint: EndpointConfig | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ):
        self._model, self._clock = model, clock
        self._endpoint = endpoint or EndpointConfig()
        self._front_end = StreamingLogMel(model.front_end, model.encoder.subsampling)
        self._watch = self._new_watch()
        self._label_bytes = model.tokenizer.label_bytes()
        self._start = begin_search(model.steps)
        self.ended: Utterance | None = None
        self.offset = self._number = 0
        self._shown: list[Word] = []
        self._emitted: tuple[Emission, ...] = ()  # labels of these words
        self._corrected = 0  # labels of the second pass that were shown
        self._begin()

    def accept(self, audio: Array, arrived: float | None = None) -> list[Event]:
        """Take the next audio.

        Args:
            audio: samples at the model's rate: floats in [-1, 1), or integers of which all values
                of their type are full scale; of several channels too, which are mixed down. What
                is no number is taken as silence, and that is said.
            arrived: when it did, on the clock, if that was not just now.

        Returns:
            What is new.

        Raises:
            UserError: what is no audio; the session stays as it was.
        """
        started = self._clock() if arrived is None else arrived
        samples, size = one_channel(audio), self.turn_samples
        turns = range(0, len(samples), size)
        events = [event for at in turns for event in self.hear(samples[at : at + size])]
        return events + self.processed(started, len(samples))

    @property
    def turn_samples(self) -> int:
        """Samples of the encoder's longest step: what `hear` is given where others wait."""
        encoder, rate = self._model.encoder, self._model.front_end.sample_rate
        return round(max(encoder.step_frames) * encoder.frame_ms * rate / 1000)

    def hear(self, audio: Array) -> list[Event]:
        """Take the next audio as `accept` does; `processed` says afterwards whether it is late."""
        heard, noticed = self._watch.hear(one_channel(audio))
        return [*noticed, *self._recognise(self._normalised(self._front_end.accept(heard)))]

    def processed(self, arrived: float, samples: int) -> list[Event]:
        """So many samples that arrived then, on the clock, are recognised."""
        lasted_s = samples / self._model.front_end.sample_rate
        return [*self._watch.processed(self._clock() - arrived, lasted_s)]

    def finish(self, arrived: float | None = None) -> list[Event]:
        """The stream is over: the last words. The session is then as at its beginning.

        Args:
            arrived: when its end did, on the clock, if that was not just now.
        """
        started = self._clock() if arrived is None else arrived
        utterance = self.utterance
        known = utterance.second.frames
        events = self._finish_utterance(self._normalised(self._front_end.flush()))
        # As long as the audio that the second pass still had to recognise.
        held_s = (utterance.frames - known) * self._model.encoder.frame_ms / 1000
        events += self._watch.processed(self._clock() - started, held_s)
        events += self._watch.rest()
        self._watch = self._new_watch()
        self.offset = self._number = 0
        return events

    @property
    def heard_s(self) -> float:
        """Seconds of audio so far."""
        return self._watch.heard_s

    def _new_watch(self) -> Watch:
        model = self._model
        return Watch(model.front_end.sample_rate, model.encoder.frame_ms / 1000)

    def _normalised(self, features: Array) -> Array:
        model = self._model
        return normalize(features, model.front_end, model.mean, model.std)

    def _recognise(self, features: Array) -> list[Event]:
        """Whole frames, `[frames * subsampling, mel_bins]`."""
        encoder = self._model.encoder
        events: list[Event] = []
        while len(features):
            steps = split_steps(len(features) // encoder.subsampling, encoder.step_frames)
            taken = self.utterance.step(features[: steps[0] * encoder.subsampling])
            features = features[taken * encoder.subsampling :]
            if self.utterance.ended:
                events += self._finish_utterance(features[:0])
            else:
                events += self._changes()
        return events

    def _changes(self) -> list[Event]:
        emissions, corrected = self.utterance.emissions, len(self.utterance.second.emissions)
        if emissions == self._emitted and corrected == self._corrected:  # as mostly
            return []
        self._emitted, words = emissions, self._group(emissions, ended=False)
        if words == self._shown and corrected == self._corrected:
            return []
        kind: Literal["partial", "corrected"]
        kind = "corrected" if corrected > self._corrected else "partial"
        self._shown, self._corrected = words, corrected
        second = self._group(self.utterance.second.emissions, ended=False)
        return [self._transcript(kind, words, max(0, len(second) - 1))]

    def _finish_utterance(self, rest: Array) -> list[Event]:
        self.utterance.finish(rest)
        words = self._group(self.utterance.second.emissions)
        events: list[Event] = []
        if words or self._shown:
            events.append(self._transcript("final", words, len(words)))
            self._number += 1
        self.offset += self.utterance.frames
        self.ended = self.utterance
        self._begin()
        return events

    def _begin(self) -> None:
        model = self._model
        self.utterance = Utterance(model.encoder, model.steps, self._start, self._endpoint)
        self._shown, self._emitted = [], ()
        self._corrected = 0

    def _group(self, emissions: Sequence[Emission], ended: bool = True) -> list[Word]:
        frame_ms = self._model.encoder.frame_ms
        return words_of(emissions, self._label_bytes, frame_ms, self.offset, ended)

    def _transcript(
        self, kind: Literal["partial", "corrected", "final"], words: list[Word], stable: int
    ) -> Transcript:
        return Transcript(kind, self._number, tuple(words), stable, self.heard_s)
