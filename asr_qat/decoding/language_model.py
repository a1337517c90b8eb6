"""What a search asks of a language model, and the models that there are.

Words are in the spelling of the model: `known_spelling` finds it.
"""

from collections.abc import Hashable
from pathlib import Path
from typing import Any, Protocol

from asr_qat.decoding.arpa import LN_10, read_arpa
from asr_qat.errors import UserError

KENLM_BINARY = b"mmap lm http://kheafield.com/code"


class LanguageModel(Protocol):
    """Word by word; a state is all that it remembers of the words before."""

    def begin(self) -> Hashable:
        """Before the first word."""

    def score(self, state: Any, word: str) -> tuple[Hashable, float]:
        """The state after one word more, and the natural logarithm of its probability.

        A word that the model does not know is its `<unk>`.
        """

    def end(self, state: Any) -> float:
        """Natural logarithm of the probability that no word follows."""

    def knows(self, word: str) -> bool:
        """Whether a word is in the vocabulary."""


class KenLM:
    """A `LanguageModel` that the package `kenlm` reads: its binaries, mapped from the file."""

    def __init__(self, path: str | Path):
        import kenlm  # the extra `lm`

        self._kenlm = kenlm
        try:
            self._model = kenlm.Model(str(path))
        except OSError as error:
            reason = str(error).splitlines()[-1]
            raise UserError(f"{path}: KenLM cannot read it: {reason}") from None

    def begin(self) -> Hashable:
        """As in `LanguageModel`."""
        state: Hashable = self._kenlm.State()
        self._model.BeginSentenceWrite(state)
        return state

    def score(self, state: Any, word: str) -> tuple[Hashable, float]:
        """As in `LanguageModel`."""
        after = self._kenlm.State()
        return after, LN_10 * self._model.BaseScore(state, word, after)

    def end(self, state: Any) -> float:
        """As in `LanguageModel`."""
        return self.score(state, "</s>")[1]

    def knows(self, word: str) -> bool:
        """As in `LanguageModel`."""
        return word in self._model


def load_language_model(path: str | Path) -> LanguageModel:
    """An ARPA file, which may be gzipped, or a KenLM binary.

    Raises:
        UserError: no such file, or damaged.
        ModuleNotFoundError: a binary, and the package `kenlm` is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such language model: make one with `asr-qat ngram`")
    with path.open("rb") as file:
        binary = file.read(len(KENLM_BINARY)) == KENLM_BINARY
    return KenLM(path) if binary else read_arpa(path)


def known_spelling(model: LanguageModel, word: str) -> str:
    """`word`, or in small letters or capitals if the model knows that alone."""
    forms = (word, word.lower(), word.upper())
    return next((form for form in forms if model.knows(form)), word)
