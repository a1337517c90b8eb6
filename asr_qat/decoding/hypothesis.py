"""A hypothesis of a beam search, and the text of an n-best list."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Hypothesis:
    """Labels, and the log-probability (nats) of all alignments with them that were searched.

    Attributes:
        tokens: the labels.
        score: the log-probability.
        bonus: what a language model and hotwords add.
    """

    tokens: tuple[int, ...]
    score: float
    bonus: float = 0.0

    @property
    def total(self) -> float:
        """Score and bonus."""
        return self.score + self.bonus

    @property
    def normalised_score(self) -> float:
        """Total per label, the label before the first one counted too.

        So do ESPnet, NeMo and torchaudio; it makes the empty hypothesis one like the others.
        Without it short hypotheses win, as each label costs some probability.
        """
        return self.total / (1 + len(self.tokens))


def format_nbest(nbest: Sequence[Hypothesis], decode: Callable[[list[int]], str]) -> str:
    """One line for each hypothesis: rank, total, normalised score, text; separated by tabs.

    Args:
        nbest: the best one first.
        decode: from token ids to text, a tokenizer's.
    """
    return "\n".join(
        f"{rank}\t{hypothesis.total:.3f}\t{hypothesis.normalised_score:.3f}"
        f"\t{decode(list(hypothesis.tokens))}"
        for rank, hypothesis in enumerate(nbest, start=1)
    )
