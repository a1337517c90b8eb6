"""Score files under conditions: each of them hears the same, so that differences are paired."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence

from asr_qat.corpora.conditions import Condition, under
from asr_qat.corpora.utterance import Utterance
from asr_qat.progress import progress
from asr_qat.text.normalizers import PLAIN, scoring_normalizer
from tflite_export.runtime.beam_search import BeamSearch
from tflite_export.runtime.live.live_model import live_model
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score import evaluate
from tflite_export.score.condition_rows import ConditionRow
from tflite_export.score.live_evaluate import pass_rates, run_streamed
from tflite_export.score.rows import combine

ONLY = ""  # name of the pass of a model that has no two
Texts = dict[str, list[str]]  # of all recordings, by name of the pass


@dataclasses.dataclass(frozen=True)
class Listener:
    """A file that is scored.

    Attributes:
        name: in results.
        recogniser: the file in LiteRT.
        texts: what it recognises in recordings.
    """

    name: str
    recogniser: TFLiteRecogniser
    texts: Callable[[list[Utterance]], Texts]


def listener(
    name: str,
    recogniser: TFLiteRecogniser,
    search: BeamSearch | None = None,
    chunk_ms: int | None = None,
) -> Listener:
    """A file of whole utterances or, with `chunk_ms`, of a live model that streams them.

    Args:
        name: in results.
        recogniser: the file.
        search: a beam search in place of the greedy one.
        chunk_ms: audio that a live model takes at once.
    """
    if chunk_ms is None:
        recogniser.warm_up()  # the first run packs the weights

        def texts(items: list[Utterance]) -> Texts:
            run = evaluate.run(recogniser, items, quiet=True, search=search, logits=False)
            return {ONLY: run.hypotheses}
    else:
        model = live_model(recogniser)

        def texts(items: list[Utterance]) -> Texts:
            return run_streamed(model, items, chunk_ms, quiet=True).hypotheses

    return Listener(name, recogniser, texts)


def score(
    listeners: Sequence[Listener],
    baseline: Listener | None,
    items: list[Utterance],
    conditions: Iterable[Condition],
    normalizer: str = PLAIN,
    quiet: bool = False,
) -> tuple[ConditionRow, ...]:
    """Error rates of all files under all conditions.

    Args:
        listeners: the files.
        baseline: the file that their differences are to; it comes first in the rows.
        items: the recordings.
        conditions: under which they are read.
        normalizer: name of what the texts go through.
        quiet: show no progress.
    """
    everyone = [*([baseline] if baseline else []), *listeners]
    runs = [(condition, each) for condition in conditions for each in everyone]
    rows: list[ConditionRow] = []
    others: Texts = {}
    for condition, each in progress(runs, "conditions", len(runs), "score", quiet):
        texts = each.texts(under(condition, items))
        if each is baseline:
            others = texts
        compared = others if baseline and each is not baseline else {}
        rows += _rows(each.name, condition, items, texts, compared, normalizer)
    return tuple(rows)


def _rows(
    name: str,
    condition: Condition,
    items: list[Utterance],
    texts: Texts,
    others: Texts,
    normalizer: str,
) -> list[ConditionRow]:
    """A row for each pass."""
    change = scoring_normalizer(normalizer)
    references = [change(item.text) for item in items]
    rows = []
    for which, own in texts.items():
        compared = [change(text) for text in others[which]] if which in others else None
        row = combine(
            ConditionRow,
            pass_rates(references, [change(text) for text in own], compared),
            file=f"{name}, {which} pass" if which else name,
            condition=str(condition),
            noise=condition.noise.name if condition.noise else None,
            snr_db=condition.snr_db,
            gain_db=condition.gain_db,
            offset=condition.offset,
        )
        rows.append(row)
    return rows
