"""N-gram language models with back-off, in the ARPA format, in plain Python.

The whole model is in dictionaries: good for millions of n-grams. Larger ones are for KenLM's
binaries, see `asr_qat.decoding.language_model`.
"""

import gzip
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from asr_qat import files
from asr_qat.errors import UserError, require

BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"
LN_10 = math.log(10)
NEVER = -99.0  # log10 of the probability of `BEGIN`, by convention
MISSING_UNKNOWN = -100.0  # log10, of a model without `UNKNOWN`, as KenLM has it
GZIP = b"\x1f\x8b"

Ngram = tuple[str, ...]


class NgramModel:
    """A back-off model.

    The probability of a word is that of the longest n-gram that ends with it and is there; the
    back-off weights of the contexts that were too long come on top.

    Args:
        grams: for each order, from 1 up, log10 of the probability and of the back-off weight of
            each n-gram.
    """

    def __init__(self, grams: list[dict[Ngram, tuple[float, float]]]):
        self.grams = grams
        self.grams[0].setdefault((UNKNOWN,), (MISSING_UNKNOWN, 0.0))

    @property
    def order(self) -> int:
        """Words of the longest n-grams."""
        return len(self.grams)

    def begin(self) -> Ngram:
        """As in `LanguageModel`."""
        return (BEGIN,)[: self.order - 1]

    def score(self, state: Ngram, word: str) -> tuple[Ngram, float]:
        """As in `LanguageModel`; the state is the last words."""
        if (word,) not in self.grams[0]:
            word = UNKNOWN
        after = (*state, word)
        backed_off = 0.0
        for used in range(len(state), -1, -1):
            context = state[len(state) - used :]
            found = self.grams[used].get((*context, word))
            if found is not None:
                kept = after[max(0, len(after) - self.order + 1) :] if self.order > 1 else ()
                return kept, LN_10 * (found[0] + backed_off)
            backed_off += self.grams[used - 1].get(context, (0.0, 0.0))[1]
        raise AssertionError("the word is a unigram")

    def end(self, state: Ngram) -> float:
        """As in `LanguageModel`."""
        return self.score(state, END)[1]

    def knows(self, word: str) -> bool:
        """As in `LanguageModel`."""
        return (word,) in self.grams[0]


def write_arpa(path: str | Path, model: NgramModel) -> None:
    """Write a model, its n-grams in alphabetical order."""
    lines = ["\\data\\"]
    lines += [f"ngram {order}={len(of)}" for order, of in enumerate(model.grams, start=1)]
    for order, of in enumerate(model.grams, start=1):
        lines += ["", f"\\{order}-grams:"]
        for gram, (probability, weight) in sorted(of.items()):
            line = f"{probability:.7g}\t{' '.join(gram)}"
            lines.append(line if order == model.order else f"{line}\t{weight:.7g}")
    files.write_text(path, "\n".join([*lines, "", "\\end\\", ""]))


def read_arpa(path: str | Path) -> NgramModel:
    """Read an ARPA file in UTF-8, which may be gzipped.

    Raises:
        UserError: naming the line that is none of such a file.
    """
    path = Path(path)
    with path.open("rb") as file:
        zipped = file.read(len(GZIP)) == GZIP
    opened = gzip.open(path, "rb") if zipped else path.open("rb")
    with opened as content:
        try:
            return NgramModel(_Reader(path, content).grams())
        except (EOFError, gzip.BadGzipFile):
            raise UserError(f"{path}: damaged or cut short: copy it again") from None
        except UnicodeDecodeError:
            raise UserError(f"{path}: not a language model in UTF-8") from None


class _Reader:
    """Lines of an ARPA file and their numbers, for messages."""

    def __init__(self, path: Path, lines):
        self._path, self._number = path, 0
        self._lines = self._decoded(lines)

    def _decoded(self, lines) -> Iterator[str]:
        for self._number, line in enumerate(lines, start=1):
            text = line.decode().strip()
            if text:
                yield text

    def grams(self) -> list[dict[Ngram, tuple[float, float]]]:
        """Of each order."""
        while self._next() != "\\data\\":  # comments
            pass
        counts: list[int] = []
        while (line := self._next()).startswith("ngram "):
            counts.append(self._count(line, len(counts) + 1))
        if not counts:
            self._wrong("expected `ngram 1=` and a number")
        grams = []
        for order, count in enumerate(counts, start=1):
            if line != f"\\{order}-grams:":
                self._wrong(f"expected \\{order}-grams:")
            grams.append(dict(self._gram(order, order == len(counts)) for _ in range(count)))
            require(len(grams[-1]) == count, f"{self._path}: {order}-grams that are there twice")
            line = self._next()
        if line != "\\end\\":
            self._wrong("expected \\end\\")
        return grams

    def _count(self, line: str, order: int) -> int:
        name, _, count = line.removeprefix("ngram ").partition("=")
        if name.strip() != str(order) or not count.strip().isdigit():
            self._wrong(f"expected `ngram {order}=` and a number")
        return int(count)

    def _gram(self, order: int, longest: bool) -> tuple[Ngram, tuple[float, float]]:
        fields = self._next().split()
        try:
            weight = float(fields[order + 1]) if len(fields) == order + 2 and not longest else 0.0
            if len(fields) not in (order + 1, order + 2):
                raise ValueError
            return tuple(map(sys.intern, fields[1 : order + 1])), (float(fields[0]), weight)
        except (ValueError, IndexError):
            self._wrong(f"expected a number, {order} words and at most another number")

    def _next(self) -> str:
        line = next(self._lines, None)
        if line is None:
            raise UserError(f"{self._path}: ends after line {self._number}: not a whole ARPA file")
        return line

    def _wrong(self, message: str) -> NoReturn:
        raise UserError(f"{self._path}: line {self._number}: {message}")
