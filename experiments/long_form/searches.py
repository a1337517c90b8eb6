"""Greedy search, beam search, and beam search with n-grams of the training texts."""

import itertools
import time
from collections.abc import Sequence
from pathlib import Path

from asr_qat.corpora.utterance import Utterance
from experiments.long_form.rows import BEAM, GREEDY, WITH_MODEL, SearchRow
from tflite_export.runtime.beam_search import BeamSearch
from tflite_export.runtime.transcriber import Transcriber, load
from tflite_export.score.statistics import word_errors

WIDTHS = {"CTC": 8, "transducer": 4}
LM_WEIGHTS, WORD_BONUSES = (0.1, 0.2, 0.3), (0.0, 1.0, 2.0)  # tried on other recordings


def searches(
    path: Path, lm: Path, dev: Sequence[Utterance], test: Sequence[Utterance]
) -> list[SearchRow]:
    """Score a file by each search, one thread; the language model's weight is chosen on `dev`."""
    model = load(path)
    kind = "CTC" if model.recogniser.steps is None else "transducer"
    width = WIDTHS[kind]
    tried = [
        BeamSearch(width, lm, weight, bonus)
        for weight, bonus in itertools.product(LM_WEIGHTS, WORD_BONUSES)
    ]
    best = min(tried, key=lambda search: _scored(model, search, dev)[0])
    rows = []
    for name, search in ((GREEDY, None), (BEAM, BeamSearch(width)), (WITH_MODEL, best)):
        wer, rtf = _scored(model, search, test)
        fused = search is not None and search.lm is not None
        rows.append(
            SearchRow(
                name=path.stem,
                kind=kind,
                search=name,
                beam=search.width if search else 0,
                lm_weight=search.lm_weight if search and fused else 0.0,
                word_bonus=search.word_bonus if search and fused else 0.0,
                wer=wer,
                rtf=rtf,
            )
        )
    return rows


def _scored(
    model: Transcriber, search: BeamSearch | None, items: Sequence[Utterance]
) -> tuple[float, float]:
    """Word error rate and real-time factor, without reading files."""
    audio = [item.read(model.sample_rate) for item in items]
    model.transcribe(audio[0], search=search)  # packs weights, reads the language model
    started = time.perf_counter()
    texts = [model.transcribe(samples, search=search) for samples in audio]
    taken = time.perf_counter() - started
    seconds = sum(map(len, audio)) / model.sample_rate
    return word_errors([item.text for item in items], texts).rate, taken / seconds
