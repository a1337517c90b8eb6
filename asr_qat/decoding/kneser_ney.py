"""N-gram models from texts: interpolated modified Kneser-Ney smoothing.

Chen & Goodman, "An empirical study of smoothing techniques for language modeling" (1998), as
KenLM's `lmplz` has it: sentences begin with one `<s>`; n-grams of lower orders count the words that
they follow, those at the beginning of a sentence how often they are there; single words are
interpolated with equal probabilities of all words, which is all that `<unk>` gets.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable

from asr_qat.decoding.arpa import BEGIN, END, NEVER, UNKNOWN, Ngram, NgramModel
from asr_qat.errors import require

MOST = 3  # counts from here on have the same discount
FALLBACK = (0.0, 0.5, 1.0, 1.5)  # discounts where there are too few texts to estimate them


def estimate(sentences: Iterable[str], order: int) -> NgramModel:
    """The model of sentences whose words have spaces between.

    Args:
        sentences: each a line of text; empty ones count for nothing.
        order: words of the longest n-grams.

    Raises:
        UserError: an order below 1, no words, or words that are marks of the format.
    """
    require(order >= 1, f"order is {order}: at least 1")
    counts = _adjusted(_counted(sentences, order))
    probabilities: dict[Ngram, float] = {}
    grams: list[dict[Ngram, tuple[float, float]]] = []
    words = [gram[0] for gram in counts[0]]
    equal = 1 / (len(words) + 1)  # with `UNKNOWN`
    for of in counts:
        discounts = _discounts(of)
        totals: dict[Ngram, int] = defaultdict(int)
        freed: dict[Ngram, float] = defaultdict(float)
        for gram, count in of.items():
            totals[gram[:-1]] += count
            freed[gram[:-1]] += discounts[min(count, MOST)]
        here = {}
        for gram, count in of.items():
            context = gram[:-1]
            lower = probabilities[gram[1:]] if context else equal
            kept = count - discounts[min(count, MOST)]
            here[gram] = (kept + freed[context] * lower) / totals[context]
        if not grams:
            here[UNKNOWN,] = freed[()] * equal / totals[()]
        else:
            _set_weights(grams[-1], {gram: freed[gram] / totals[gram] for gram in totals})
        grams.append({gram: (_log10(p), 0.0) for gram, p in here.items()})
        probabilities = here
        if len(grams) == 1:
            grams[0][BEGIN,] = (NEVER, 0.0)
    return NgramModel(grams)


def _counted(sentences: Iterable[str], order: int) -> list[Counter[Ngram]]:
    """How often each n-gram is there, for each order."""
    counts: list[Counter[Ngram]] = [Counter() for _ in range(order)]
    for sentence in sentences:
        words = sentence.split()
        for mark in {BEGIN, END, UNKNOWN} & set(words):
            require(False, f"the word {mark} is a mark of language models: leave it out")
        if not words:
            continue
        padded = (BEGIN, *words, END)
        for size, of in enumerate(counts, start=1):
            of.update(padded[at : at + size] for at in range(len(padded) - size + 1))
    require(bool(counts[0]), "no words to make a language model of")
    del counts[0][BEGIN,]
    return counts


def _adjusted(counts: list[Counter[Ngram]]) -> list[dict[Ngram, int]]:
    """Of lower orders the number of words that an n-gram follows, unless a sentence begins."""
    adjusted: list[dict[Ngram, int]] = []
    for of, longer in zip(counts, counts[1:], strict=False):
        follows = Counter(gram[1:] for gram in longer)
        adjusted.append({g: n if g[0] == BEGIN else follows[g] for g, n in of.items()})
    return [*adjusted, dict(counts[-1])]


def _discounts(counts: dict[Ngram, int]) -> tuple[float, ...]:
    """What is taken from the counts 1, 2, and 3 or more; at the place 0 there is nothing."""
    of = Counter(count for count in counts.values() if count <= MOST + 1)
    if not all(of[count] for count in range(1, MOST + 2)):
        return FALLBACK
    share = of[1] / (of[1] + 2 * of[2])
    found = [0.0]
    found += [n - (n + 1) * share * of[n + 1] / of[n] for n in range(1, MOST + 1)]
    return tuple(found) if all(0 <= d <= n for n, d in enumerate(found)) else FALLBACK


def _set_weights(grams: dict[Ngram, tuple[float, float]], weights: dict[Ngram, float]) -> None:
    for gram, weight in weights.items():
        grams[gram] = (grams[gram][0], _log10(weight))


def _log10(value: float) -> float:
    return math.log10(value) if value > 0 else NEVER
