"""A hypothesis of a beam search, and the text of an n-best list."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Hypothesis:
    """Labels, and the log-probability (nats) of all alignments with them that were searched."""

    tokens: tuple[int, ...]
    score: float

    @property
    def normalised_score(self) -> float:
        """Score per label, the label before the first one counted too.

        So do ESPnet, NeMo and torchaudio; it makes the empty hypothesis one like the others.
        Without it short hypotheses win, as each label costs some probability.
        """
        return self.score / (1 + len(self.tokens))


def format_nbest(nbest: Sequence[Hypothesis], decode: Callable[[list[int]], str]) -> str:
    """One line for each hypothesis: rank, score, normalised score, text; separated by tabs.

    Args:
        nbest: the best one first.
        decode: from token ids to text, a tokenizer's.
    """
    return "\n".join(
        f"{rank}\t{hypothesis.score:.3f}\t{hypothesis.normalised_score:.3f}"
        f"\t{decode(list(hypothesis.tokens))}"
        for rank, hypothesis in enumerate(nbest, start=1)
    )
