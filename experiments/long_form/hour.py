"""A long recording beside the recordings that it is made of, one by one."""

import itertools
import time
from collections.abc import Sequence
from pathlib import Path

import jiwer
import numpy as np
import soundfile

from asr_qat.corpora.recordings import recordings
from experiments.live.recordings import joined
from experiments.long_form.rows import HourRow
from tflite_export.runtime.transcriber import load
from tflite_export.score.fresh_process import PEAK, memory_mb, result_of

PAUSE_S = 0.5  # of each room's noise, between recordings


def hour(path: Path, data: str, splits: Sequence[str], seconds: float, work: Path) -> HourRow:
    """Transcribe recordings joined to so many seconds, as one file and one by one, one thread."""
    model = load(path)
    rate = model.sample_rate
    items = [item for split in splits for item in recordings(data, split)]
    work.mkdir(parents=True, exist_ok=True)
    file = work / f"{seconds:.0f}_s.wav"
    alone, samples = [], 0
    with soundfile.SoundFile(file, "w", rate, 1, "PCM_16") as written:
        for audio in joined(items, seconds, PAUSE_S, rate):
            written.write(audio)
            samples += len(audio)
            alone.append(model.transcribe(audio))
    found = result_of(transcribed, str(path), str(file))
    together = found["utterances"]
    words = [text.split() for text in together]
    spoken = " ".join(item.text for item in itertools.islice(itertools.cycle(items), len(alone)))
    different, lost, doubled = edits_at_cuts(" ".join(alone).split(), words)
    return HourRow(
        name=path.stem,
        seconds=samples / rate,
        recordings=len(alone),
        peak_mb=found["peak_mb"],
        rtf=found["seconds"] * rate / samples,
        utterances=len(together),
        words=sum(map(len, words)),
        different=different,
        lost=lost,
        doubled=doubled,
        wer=jiwer.wer(spoken, " ".join(together)),
        wer_alone=jiwer.wer(spoken, " ".join(alone)),
    )


def transcribed(path: str, file: str) -> dict[str, object]:
    """For a process of its own: the texts of utterances, seconds and peak memory."""
    model = load(path)
    model.transcribe(np.zeros(model.sample_rate, np.float32))  # packs weights
    started = time.perf_counter()
    found = model.transcribe(file, timestamps=True)
    return {
        "seconds": time.perf_counter() - started,
        "utterances": [utterance.text for utterance in found.utterances],
        "peak_mb": memory_mb(PEAK),
    }


def edits_at_cuts(alone: list[str], utterances: list[list[str]]) -> tuple[int, int, int]:
    """Edits from words to those of utterances: all, words lost at cuts, words doubled there.

    At a cut are the last word of an utterance, the first one of the next, and what is between.
    """
    together = list(itertools.chain(*utterances))
    if not alone or not together:
        return len(alone or together), len(alone), len(together)
    cuts = set(itertools.accumulate(map(len, utterances[:-1])))  # each is in front of a word
    found = jiwer.process_words(" ".join(alone), " ".join(together))
    (chunks,) = found.alignments
    lost = sum(
        chunk.ref_end_idx - chunk.ref_start_idx
        for chunk in chunks
        if chunk.type == "delete" and chunk.hyp_start_idx in cuts
    )
    ends = cuts | {cut - 1 for cut in cuts}
    doubled = sum(
        at in ends
        for chunk in chunks
        if chunk.type == "insert"
        for at in range(chunk.hyp_start_idx, chunk.hyp_end_idx)
    )
    return found.substitutions + found.deletions + found.insertions, lost, doubled
