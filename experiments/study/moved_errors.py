"""Where the errors moved: words that float gets right and the quantized model does not."""

import collections
import dataclasses
from collections.abc import Callable, Sequence

import jiwer

from experiments.reports.page_parts import NONE, Table
from experiments.study.cell_rows import FLOAT, CellResult
from experiments.study.saved_study import Saved
from experiments.study.study_rows import VariantRow

KINDS = ("substitute", "delete", "insert")
TOP_WORDS = 5  # in the table


@dataclasses.dataclass
class Moved:
    """Errors of two recognisers on the same recordings, over all seeds.

    Attributes:
        name: of the second recogniser.
        lost: words that the first got right and the second did not, with their numbers.
        won: the reverse.
        kinds: errors of the first and of the second by kind, see `KINDS`.
        utterances: number of utterances by their pair of errors, first and second.
        words: words of the references.
        pairs: pairs of runs that were counted.
    """

    name: str
    lost: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    won: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    kinds: tuple[collections.Counter[str], collections.Counter[str]] = dataclasses.field(
        default_factory=lambda: (collections.Counter(), collections.Counter())
    )
    utterances: collections.Counter[tuple[int, int]] = dataclasses.field(
        default_factory=collections.Counter
    )
    words: int = 0
    pairs: int = 0

    def add(self, references: Sequence[str], first: Sequence[str], second: Sequence[str]) -> None:
        """Count one pair of runs, each with a text for each utterance."""
        for reference, *texts in zip(references, first, second, strict=True):
            before, after = (_align(reference, text) for text in texts)
            self.utterances[before.errors, after.errors] += 1
            for kinds, found in zip(self.kinds, (before, after), strict=True):
                kinds.update(found.kinds)
            for word, was, is_now in zip(reference.split(), before.right, after.right, strict=True):
                self.words += 1
                if was and not is_now:
                    self.lost[word] += 1
                if is_now and not was:
                    self.won[word] += 1


@dataclasses.dataclass(frozen=True)
class _Alignment:
    """Of a text to its reference.

    Attributes:
        right: whether each word of the reference was recognised.
        kinds: number of errors of each kind.
    """

    right: list[bool]
    kinds: collections.Counter[str]

    @property
    def errors(self) -> int:
        return self.kinds.total()


def _align(reference: str, text: str) -> _Alignment:
    right = [False] * len(reference.split())
    kinds: collections.Counter[str] = collections.Counter()
    for chunk in jiwer.process_words(reference, text).alignments[0]:
        taken = range(chunk.ref_start_idx, chunk.ref_end_idx)
        if chunk.type == "equal":
            for index in taken:
                right[index] = True
        else:
            kinds[chunk.type] += max(len(taken), chunk.hyp_end_idx - chunk.hyp_start_idx)
    return _Alignment(right, kinds)


def errors_moved(study: Saved) -> list[Moved]:
    """Where the errors moved from float to each quantized variant, in all splits and seeds.

    The first, for comparison, is the float training with the next seed in its place: training
    alone moves errors as well. It is omitted where there is one seed. Without references
    there is nothing to say.
    """
    if study.references is None:
        return []
    found = [_moved(study, row.name, _pairs(study, row)) for row in study.variants]
    return [moved for moved in found if moved.pairs]


def _pairs(study: Saved, variant: VariantRow) -> list[tuple[CellResult, CellResult]]:
    """Baseline and cell for each seed; for a baseline itself that of the next seed."""
    cells = [cell for cell in study.cells.values() if cell.variant == variant.name]
    if variant.method == FLOAT:
        return list(zip(cells, [*cells[1:], cells[0]], strict=True)) if len(cells) > 1 else []
    baselines = [(study.cells.get(cell.baseline or ""), cell) for cell in cells]
    return [(baseline, cell) for baseline, cell in baselines if baseline is not None]


def _moved(study: Saved, name: str, pairs: list[tuple[CellResult, CellResult]]) -> Moved:
    assert study.references is not None
    moved = Moved(name)
    for pair in pairs:
        for split, references in study.references.items():
            first, second = (cell.splits[split].hypotheses for cell in pair)
            moved.add(references, first, second)
        moved.pairs += 1
    return moved


def moved_table(found: list[Moved]) -> Table:
    """A line for each variant; numbers of words are means over the seeds."""

    def mean(count: Callable[[Moved], int]) -> Callable[[Moved], str]:
        return lambda moved: f"{count(moved) / moved.pairs:.1f}"

    def share(kind: str) -> Callable[[Moved], str]:
        return lambda m: f"{m.kinds[1][kind] / max(m.kinds[1].total(), 1):.0%}"

    return Table.of(
        "Where the errors moved",
        (
            ("Variant", lambda moved: moved.name),
            ("Seeds", lambda moved: str(moved.pairs)),
            ("Lost words", mean(lambda moved: moved.lost.total())),
            ("Won words", mean(lambda moved: moved.won.total())),
            ("Errors", mean(lambda moved: moved.kinds[1].total())),
            ("Substituted", share("substitute")),
            ("Deleted", share("delete")),
            ("Inserted", share("insert")),
            ("Most often lost", lambda moved: _top(moved.lost)),
            ("Most often won", lambda moved: _top(moved.won)),
        ),
        found,
        "Lost: words that the float model of the same seed recognised and this one did not; won: "
        "the reverse; mean of the seeds, all splits together. A float row compares the float "
        "training with that of the next seed: so much moves without any quantization. In "
        "brackets: number of times over all seeds.",
    )


def _top(words: collections.Counter[str]) -> str:
    return ", ".join(f"{word} ({n})" for word, n in words.most_common(TOP_WORDS)) or NONE
