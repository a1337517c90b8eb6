"""Score both passes of a live `.tflite` on recordings, streamed as `listen` streams them."""

import dataclasses
import time
from pathlib import Path

import numpy as np

from asr_qat.corpora.recordings import read_each
from asr_qat.corpora.utterance import Utterance
from asr_qat.progress import progress
from asr_qat.text.normalizers import PLAIN, scoring_normalizer
from tflite_export.runtime.live.endpoint import WHOLE_RECORDING
from tflite_export.runtime.live.live_model import LiveModel
from tflite_export.runtime.live.session import Session
from tflite_export.runtime.widen import AUTO, Widen
from tflite_export.score.fresh_process import peak_memory_mb
from tflite_export.score.live_rows import PassRates, StreamedSummary
from tflite_export.score.rows import Times
from tflite_export.score.silence_runs import stream_silence
from tflite_export.score.statistics import character_errors, interval, paired_interval, word_errors

FIRST, SECOND = "first", "second"
PASSES = (FIRST, SECOND)


@dataclasses.dataclass
class StreamedRun:
    """A live file's work on a set of recordings.

    Attributes:
        hypotheses: recognised texts of each pass, `FIRST` and `SECOND`.
        chunk_seconds: `[chunks]`, processing time of each chunk of all recordings: front end,
            both encoders and both searches.
        finish_seconds: `[utterances]`, that of the last words when a recording is over.
        audio_seconds: `[utterances]`, durations.
    """

    hypotheses: dict[str, list[str]]
    chunk_seconds: np.ndarray
    finish_seconds: np.ndarray
    audio_seconds: np.ndarray


def run_streamed(
    model: LiveModel,
    items: list[Utterance],
    chunk_ms: int,
    quiet: bool = False,
    unread: list[Utterance] | None = None,
) -> StreamedRun:
    """Stream every recording in chunks of `chunk_ms`, one after the other, without endpoints.

    Those that cannot be read are an error, or added to `unread`, see `read_each`.
    """
    rate = model.front_end.sample_rate
    size = rate * chunk_ms // 1000
    found: dict[str, list[str]] = {name: [] for name in PASSES}
    chunks, finish_seconds, audio_seconds = [], [], []
    session = Session(model, WHOLE_RECORDING)
    read = read_each(items, rate, unread)
    for _, audio in progress(read, "evaluate", len(items), quiet=quiet):
        audio_seconds.append(len(audio) / rate)
        taken, _ = timed_chunks(session, audio, size)
        chunks.append(taken)
        started = time.perf_counter()
        session.finish()
        finish_seconds.append(time.perf_counter() - started)
        ended = session.ended
        assert ended is not None
        found[FIRST].append(model.tokenizer.decode(ended.first.tokens))
        found[SECOND].append(model.tokenizer.decode(ended.second.tokens))
    finish, durations = np.array(finish_seconds), np.array(audio_seconds)
    return StreamedRun(found, np.concatenate(chunks), finish, durations)


def timed_chunks(session: Session, audio: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Give a session audio in chunks of `size` samples.

    Returns:
        The seconds that each took, and whether an utterance ended in it.
    """
    taken, ended = [], []
    for at in range(0, len(audio), size):
        offset, started = session.offset, time.perf_counter()
        session.accept(audio[at : at + size])
        taken.append(time.perf_counter() - started)
        ended.append(session.offset != offset)
    return np.array(taken), np.array(ended)


def summarize_streamed(
    result: StreamedRun,
    items: list[Utterance],
    chunk_ms: int,
    threads: int,
    baseline: StreamedRun | None = None,
    normalizer_name: str = PLAIN,
) -> StreamedSummary:
    """Error rates of both passes, with differences to a baseline, and the time of the chunks."""
    change = scoring_normalizer(normalizer_name)
    references = [change(item.text) for item in items]
    compute = float(result.chunk_seconds.sum() + result.finish_seconds.sum())

    def rates(name: str) -> PassRates:
        own = [change(text) for text in result.hypotheses[name]]
        others = None
        if baseline is not None:
            others = [change(text) for text in baseline.hypotheses[name]]
        return pass_rates(references, own, others)

    first, second = map(rates, PASSES)
    return StreamedSummary(
        utterances=len(items),
        words=int(word_errors(references, references).lengths.sum()),
        first=first,
        second=second,
        rtf=compute / float(result.audio_seconds.sum()),
        chunk_ms=chunk_ms,
        chunks=len(result.chunk_seconds),
        late_chunks=int((1000 * result.chunk_seconds > chunk_ms).sum()),
        chunk_compute_ms=Times.of(result.chunk_seconds),
        finish_ms=Times.of(result.finish_seconds),
        threads=threads,
    )


def pass_rates(
    references: list[str], hypotheses: list[str], baseline: list[str] | None = None
) -> PassRates:
    """Error rates of recognised texts, and the difference to others or None."""
    errors = word_errors(references, hypotheses)
    other = None if baseline is None else word_errors(references, baseline)
    return PassRates(
        wer=errors.rate,
        wer_ci=interval(errors),
        cer=character_errors(references, hypotheses).rate,
        wer_diff=None if other is None else errors.rate - other.rate,
        wer_diff_ci=None if other is None else paired_interval(errors, other),
        words_changed=None if baseline is None else word_errors(baseline, hypotheses).rate,
    )


def live_peak_rss_mb(
    path: str | Path,
    seconds: float,
    chunk_ms: int,
    threads: int = 1,
    verify: bool = True,
    widen: Widen = AUTO,
) -> float:
    """Peak memory of a fresh process that loads the file and streams so long, in MB (2^20).

    It includes Python, numpy and LiteRT.
    """
    return peak_memory_mb(stream_silence, str(path), seconds, chunk_ms, threads, verify, widen)
