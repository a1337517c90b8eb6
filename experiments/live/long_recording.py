"""Long speech through one session: memory over time, and the words of the same audio in pieces.

Run in a process of its own, which has nothing of TensorFlow.
"""

import dataclasses
import gc
import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import jiwer
import numpy as np

from asr_qat.config import from_dict
from asr_qat.corpora.recordings import recordings
from asr_qat.corpora.utterance import Utterance
from experiments.live.latency_rows import LongRun, PieceWords, StreamWords, WithoutPauses
from experiments.live.recordings import cut, joined
from experiments.live.undisturbed_session import events_alone, final_text
from tflite_export.runtime.live.endpoint import EndpointConfig
from tflite_export.runtime.live.live_model import LiveModel, load_model
from tflite_export.runtime.live.session import Session
from tflite_export.score.fresh_process import RESIDENT, memory_mb, result_of
from tflite_export.score.rows import Times, combine

MINUTE_S = 60
WITHOUT_PAUSES_S = 600.0


def long_run(
    path: str | Path,
    data: str | Path,
    splits: tuple[str, ...],
    seconds: float = 3600.0,
    pause_s: float = 1.5,
    chunk_ms: int = 120,
    threads: int = 1,
) -> LongRun:
    """`stream_long` in a fresh process."""
    found = result_of(
        long_run_as_json, str(path), str(data), splits, seconds, pause_s, chunk_ms, threads
    )
    return from_dict(LongRun, found, str(path))


def long_run_as_json(
    path: str,
    data: str,
    splits: Sequence[str],
    seconds: float,
    pause_s: float,
    chunk_ms: int,
    threads: int,
) -> dict[str, object]:
    """What `stream_long` finds, as JSON takes it."""
    return dataclasses.asdict(stream_long(path, data, splits, seconds, pause_s, chunk_ms, threads))


def stream_long(
    path: str,
    data: str,
    splits: Sequence[str],
    seconds: float,
    pause_s: float,
    chunk_ms: int,
    threads: int,
) -> LongRun:
    """Stream recordings, then recognise the same audio in pieces, each in a session of its own.

    With pauses it is cut twice: in the middle of each pause, a silence whatever was recognised;
    and at the endpoints that were found, where the session must have forgotten all before. Without
    pauses, for `WITHOUT_PAUSES_S` at most, the pieces are the recordings, so that a cut within
    words shows.

    Args:
        path: of a live `.tflite`.
        data: prepared folder.
        splits: whose recordings, from the first one on again when they are through.
        seconds: of audio.
        pause_s: of the room's noise after each recording.
        chunk_ms: milliseconds of a chunk; the pace is that of the processor.
        threads: CPU threads.
    """
    model = load_model(path, threads)
    items = [item for split in splits for item in recordings(data, split)]
    rate = model.front_end.sample_rate
    size = rate * chunk_ms // 1000

    def audio(sizes: Iterator[int]) -> Iterator[np.ndarray]:
        return cut(joined(items, seconds, pause_s, rate), sizes)

    found = _stream(model, audio(itertools.repeat(size)))
    lengths = [len(whole) for whole in joined(items, seconds, pause_s, rate)]
    pause = round(pause_s * rate)
    in_pauses = [
        _text_alone(model, piece, size) for piece in audio(_middles(lengths, pause, _frame(model)))
    ]
    pieces = [_text_alone(model, piece, size) for piece in audio(iter(found.ends))]
    pieces += [""] * (len(found.texts) - len(pieces))  # the last one may have no sample
    return combine(
        LongRun,
        found.words(),
        recordings=len(lengths),
        recorded_seconds=sum(max(0, length - pause) for length in lengths) / rate,
        pause_s=pause_s,
        chunk_ms=chunk_ms,
        threads=threads,
        rss_mb=tuple(found.memory),
        growth_mb=found.memory[-1] - found.memory[0],
        most_growth_mb=max(found.memory) - found.memory[0],
        audio_seconds=found.heard / rate,
        different_cut_in_pauses=_edits(" ".join(in_pauses), " ".join(found.texts)),
        different_words=sum(map(_edits, found.texts, pieces)),
        different=tuple(
            PieceWords(stream=a, piece=b)
            for a, b in zip(found.texts, pieces, strict=True)
            if a != b
        ),
        chunk_compute_ms=Times.of(np.array(found.taken)),
        rtf=sum(found.taken) * rate / found.heard,
        without_pauses=_without_pauses(model, items, min(seconds, WITHOUT_PAUSES_S), size),
    )


def _frame(model: LiveModel) -> int:
    """Samples of a frame of the encoder."""
    return round(model.encoder.frame_ms * model.front_end.sample_rate / 1000)


def _middles(lengths: list[int], pause: int, frame: int) -> Iterator[int]:
    """Sizes of pieces that are cut in the middle of the pauses at the ends of these lengths.

    All begin with a whole frame of the encoder, so that both hear the same frames.
    """
    ends = [(end - pause // 2) // frame * frame for end in itertools.accumulate(lengths)]
    return (end - begin for begin, end in itertools.pairwise([0, *ends[:-1]]))


def _without_pauses(
    model: LiveModel, items: list[Utterance], seconds: float, size: int
) -> WithoutPauses:
    rate = model.front_end.sample_rate
    whole = list(joined(items, seconds, 0.0, rate))
    found = _stream(model, cut(whole, itertools.repeat(size)))
    pieces = [_text_alone(model, piece, size).split() for piece in whole]
    stream = " ".join(found.texts).split()
    return combine(
        WithoutPauses,
        found.words(),
        recordings=len(whole),
        audio_seconds=found.heard / rate,
        different_words=_edits(" ".join(itertools.chain(*pieces)), " ".join(stream)),
        different_at_joins=_edits_at_joins(pieces, stream),
    )


@dataclasses.dataclass
class _Stream:
    """What one session found, and needed.

    Attributes:
        texts: of each utterance.
        ends: samples of each utterance but the last one.
        by_length: of these, how many ended without a pause.
        taken: seconds of each chunk.
        memory: of the process after each minute, and in the end.
        heard: samples.
    """

    texts: list[str] = dataclasses.field(default_factory=list)
    ends: list[int] = dataclasses.field(default_factory=list)
    by_length: int = 0
    taken: list[float] = dataclasses.field(default_factory=list)
    memory: list[float] = dataclasses.field(default_factory=list)
    heard: int = 0

    def words(self) -> StreamWords:
        """Figures of the utterances."""
        return StreamWords(
            utterances=len(self.texts),
            ended_by_length=self.by_length,
            words=sum(len(text.split()) for text in self.texts),
        )


def _stream(
    model: LiveModel, chunks: Iterable[np.ndarray], endpoint: EndpointConfig | None = None
) -> _Stream:
    endpoint = endpoint or EndpointConfig()
    found, session = _Stream(), Session(model, endpoint)
    rate = model.front_end.sample_rate
    for chunk in chunks:
        offset = session.offset
        started = time.perf_counter()
        events = session.accept(chunk)
        found.taken.append(time.perf_counter() - started)
        if session.offset != offset:
            frames = session.offset - offset
            found.ends.append(frames * _frame(model))
            found.texts.append(final_text(events))
            found.by_length += not _paused(session, model, endpoint)
        found.heard += len(chunk)
        if found.heard // (MINUTE_S * rate) > len(found.memory):
            found.memory.append(resident_mb())
    found.texts.append(final_text(session.finish()))
    found.memory.append(resident_mb())
    return found


def _paused(session: Session, model: LiveModel, endpoint: EndpointConfig) -> bool:
    """Whether the utterance that has just ended had its pause."""
    ended = session.ended
    assert ended is not None
    known = ended.frames - model.encoder.look_ahead  # to the first pass when it ended
    last = max((label.frame for label in ended.first.emissions if label.frame < known), default=-1)
    return last >= 0 and (known - 1 - last) * model.encoder.frame_ms >= 1000 * endpoint.pause_s


def _text_alone(model: LiveModel, audio: np.ndarray, size: int) -> str:
    return final_text(events_alone(model, audio, size))


def _edits(a: str, b: str) -> int:
    if not a or not b:
        return len((a or b).split())
    found = jiwer.process_words(a, b)
    return found.substitutions + found.deletions + found.insertions


def _edits_at_joins(pieces: list[list[str]], stream: list[str]) -> int:
    """Edits from the words of all pieces to a stream that are at the ends of a piece.

    They are of its first or its last word, or words more before or after it.
    """
    words = list(itertools.chain(*pieces))
    if not words or not stream:
        return len(words or stream)
    joins = {0, *itertools.accumulate(map(len, pieces))}  # each is in front of a word
    ends = joins | {join - 1 for join in joins}
    (chunks,) = jiwer.process_words(" ".join(words), " ".join(stream)).alignments
    found = 0
    for chunk in chunks:
        if chunk.type == "insert" and chunk.ref_start_idx in joins:
            found += chunk.hyp_end_idx - chunk.hyp_start_idx
        elif chunk.type in ("delete", "substitute"):
            found += sum(at in ends for at in range(chunk.ref_start_idx, chunk.ref_end_idx))
    return found


def resident_mb() -> float:
    """Memory of this process now, in MB (2^20)."""
    gc.collect()
    return memory_mb(RESIDENT)
