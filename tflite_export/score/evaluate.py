"""Score a `.tflite` on recordings with transcripts, as a device would run it."""

import dataclasses
import json
import time
from pathlib import Path

import numpy as np

from asr_qat import files
from asr_qat.corpora.recordings import read_each
from asr_qat.corpora.utterance import Utterance
from asr_qat.progress import progress
from asr_qat.text.normalizers import PLAIN, scoring_normalizer
from tflite_export.runtime.beam_search import BeamSearch
from tflite_export.runtime.decoder import Decoder
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.runtime.widen import AUTO, Widen
from tflite_export.score.fresh_process import peak_memory_mb
from tflite_export.score.rows import Difference, FileFacts, LengthRate, Percentiles, Summary
from tflite_export.score.silence_runs import recognise_silence
from tflite_export.score.statistics import (
    ErrorCounts,
    character_errors,
    interval,
    paired_interval,
    word_errors,
)

LENGTHS_S = (0.0, 5.0, 10.0, 20.0, 30.0)  # where the groups of `by_length` begin


@dataclasses.dataclass
class Run:
    """A file's work on a set of recordings.

    Attributes:
        hypotheses: recognised texts.
        logits: `[steps, classes]` of each utterance, see `Recognition`; none with a beam, or where
            they were not asked for.
        seconds: processing time of each utterance: front end, model and search.
        audio_seconds: its duration.
    """

    hypotheses: list[str]
    logits: list[np.ndarray]
    seconds: np.ndarray
    audio_seconds: np.ndarray


def run(
    recogniser: TFLiteRecogniser,
    items: list[Utterance],
    quiet: bool = False,
    beam: int = 0,
    search: BeamSearch | None = None,
    logits: bool = True,
    unread: list[Utterance] | None = None,
) -> Run:
    """Recognise every recording, one after the other; each is decoded once.

    Args:
        recogniser: the file.
        items: the recordings.
        quiet: show no progress.
        beam: hypotheses that the search keeps; 0 for greedy search.
        search: a beam search with a language model or hotwords, in place of `beam`.
        logits: keep those of a greedy search; they take more memory than all else.
        unread: see `read_each`; what it has in the end is not in the result.
    """
    search = search or (BeamSearch(beam) if beam else None)
    decoder = Decoder(recogniser, search)
    tokenizer = recogniser.metadata.tokenizer
    rate = recogniser.metadata.front_end.sample_rate
    hypotheses, kept, seconds, audio_seconds = [], [], [], []
    recogniser.warm_up()
    read = read_each(items, rate, unread)
    for _, audio in progress(read, "evaluate", len(items), quiet=quiet):
        started = time.perf_counter()
        features = recogniser.features(audio)
        if search is not None:
            tokens = decoder.tokens(features)
        else:
            found = recogniser.recognise(features)
            tokens = found.tokens
            if logits:
                kept.append(found.logits)
        hypotheses.append(tokenizer.decode(tokens))
        seconds.append(time.perf_counter() - started)
        audio_seconds.append(len(audio) / rate)
    return Run(hypotheses, kept, np.array(seconds), np.array(audio_seconds))


def describe(recogniser: TFLiteRecogniser) -> FileFacts:
    """Precision, method and size of the file."""
    metadata = recogniser.metadata
    return FileFacts(
        precision=metadata.precision,
        widths=metadata.widths,
        method=metadata.method,
        bytes=recogniser.bytes,
        full_integer=metadata.full_integer,
    )


def difference(
    result: Run, baseline: Run, items: list[Utterance], normalizer_name: str = PLAIN
) -> Difference:
    """WER difference to another run on the same recordings, and how many words changed."""
    references, own, others = _normalized(
        normalizer_name, [item.text for item in items], result.hypotheses, baseline.hypotheses
    )
    errors, other = word_errors(references, own), word_errors(references, others)
    return Difference(
        wer_diff=errors.rate - other.rate,
        wer_diff_ci=paired_interval(errors, other),
        words_changed=word_errors(others, own).rate,
    )


def summarize(
    result: Run, items: list[Utterance], threads: int, normalizer_name: str = PLAIN
) -> Summary:
    """Error rates, speed and latency of a run; the texts go through the normaliser of that name."""
    references, hypotheses = _normalized(
        normalizer_name, [item.text for item in items], result.hypotheses
    )
    words = word_errors(references, hypotheses)
    return Summary(
        utterances=len(items),
        words=int(words.lengths.sum()),
        wer=words.rate,
        wer_ci=interval(words),
        cer=character_errors(references, hypotheses).rate,
        rtf=float(result.seconds.sum() / result.audio_seconds.sum()),
        latency_ms=Percentiles.of(result.seconds),
        threads=threads,
    )


def by_length(
    result: Run, items: list[Utterance], normalizer_name: str = PLAIN
) -> tuple[LengthRate, ...]:
    """The word error rate of recordings between neighbours of `LENGTHS_S`; empty ones left out."""
    references, hypotheses = _normalized(
        normalizer_name, [item.text for item in items], result.hypotheses
    )
    words = word_errors(references, hypotheses)
    groups = np.searchsorted(LENGTHS_S, result.audio_seconds, side="right") - 1
    rates = []
    for group, seconds in enumerate(LENGTHS_S):
        members = groups == group
        found = ErrorCounts(words.errors[members], words.lengths[members])
        rate = LengthRate(
            seconds=seconds,
            below=LENGTHS_S[group + 1] if group + 1 < len(LENGTHS_S) else None,
            utterances=int(members.sum()),
            words=int(found.lengths.sum()),
            wer=found.rate,
        )
        rates += [rate] if rate.utterances else []
    return tuple(rates)


def _normalized(name: str, *texts: list[str]) -> list[list[str]]:
    change = scoring_normalizer(name)
    return [[change(text) for text in some] for some in texts]


def write_hypotheses(path: str | Path, items: list[Utterance], hypotheses: list[str]) -> None:
    """JSON lines of id, reference and hypothesis."""
    lines = [
        json.dumps({"id": item.id, "reference": item.text, "hypothesis": text}, ensure_ascii=False)
        for item, text in zip(items, hypotheses, strict=True)
    ]
    files.write_text(path, "\n".join(lines) + "\n")


def peak_rss_mb(
    path: str | Path,
    seconds: float,
    threads: int = 1,
    verify: bool = True,
    widen: Widen = AUTO,
) -> float:
    """Peak memory of a fresh process that loads the file and recognises once, in MB (2^20).

    It includes Python, numpy and LiteRT.

    Args:
        path: `.tflite` file.
        seconds: length of the utterance.
        threads: CPU threads.
        verify: refuse a file whose checksum is wrong.
        widen: see `TFLiteRecogniser`.
    """
    return peak_memory_mb(recognise_silence, str(path), seconds, threads, verify, widen)
