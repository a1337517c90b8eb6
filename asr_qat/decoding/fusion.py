"""What a language model and hotwords add to the hypotheses of a search (shallow fusion)."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from asr_qat.decoding.hotwords import HotState, Hotwords
from asr_qat.decoding.language_model import LanguageModel, known_spelling

SPACE = b" "


class Fusion(Protocol):
    """Label by label; what it adds depends on the labels alone, not on their alignment."""

    def begin(self) -> Any:
        """The state before the first label; like all of them it has a `score`."""

    def extend(self, state: Any, label: int) -> Any:
        """The state after one label more."""

    def end(self, state: Any) -> float:
        """The score if no label follows."""


@dataclass(frozen=True)
class FusionState:
    """What has been said, and what that adds.

    Attributes:
        score: added to the log-probability (nats) of the labels so far.
        whole: the part of it that is of whole words.
        context: of the language model, after the whole words.
        word: letters of the word that is being said.
        hot: of the hotwords.
    """

    score: float
    whole: float
    context: Hashable
    word: bytes
    hot: HotState


class WordFusion:
    """A language model of words, a bonus for each, and hotwords, for labels that are word pieces.

    A word is scored when the next one begins, or the text ends:
    `lm_weight * log P(word | words before) + word_bonus`, less `unknown_penalty` if the model does
    not know it and it is of no hotword. Each word of a hotword adds `boost`, by parts as its
    letters are said.

    Args:
        label_bytes: what each label adds to the text, see `Tokenizer.label_bytes`.
        model: None for none.
        lm_weight: of its log-probabilities.
        word_bonus: for each word: without it a model makes texts shorter.
        unknown_penalty: for words that the language model does not know, in nats; most are none.
        hotwords: phrases in the spelling of the labels.
        hotword_boost: for each word of a hotword, in nats.
    """

    def __init__(
        self,
        label_bytes: Sequence[bytes],
        model: LanguageModel | None = None,
        lm_weight: float = 0.0,
        word_bonus: float = 0.0,
        unknown_penalty: float = 0.0,
        hotwords: Sequence[str] = (),
        hotword_boost: float = 0.0,
    ):
        self._parts = [part.split(SPACE) for part in label_bytes]
        self._model, self._weight, self._bonus = model, lm_weight, word_bonus
        self._penalty = unknown_penalty
        self._hotwords, self._boost = Hotwords(hotwords), hotword_boost
        self._spellings: dict[bytes, str] = {}

    def begin(self) -> FusionState:
        """As in `Fusion`."""
        context = None if self._model is None else self._model.begin()
        return FusionState(0.0, 0.0, context, b"", self._hotwords.start)

    def extend(self, state: FusionState, label: int) -> FusionState:
        """As in `Fusion`."""
        for number, letters in enumerate(self._parts[label]):
            if number and state.word:
                state = self._end_word(state)
            if letters:
                hot = self._hotwords.letters(state.hot, letters)
                score = state.whole + self._boost * hot.words
                state = FusionState(score, state.whole, state.context, state.word + letters, hot)
        return state

    def end(self, state: FusionState) -> float:
        """As in `Fusion`; the language model ends the sentence, a hotword must be whole."""
        if state.word:
            state = self._end_word(state)
        ending = 0.0 if self._model is None else self._weight * self._model.end(state.context)
        return state.whole + ending + self._boost * state.hot.found

    def _end_word(self, state: FusionState) -> FusionState:
        whole, context = state.whole + self._bonus, state.context
        if self._model is not None:
            word = self._spelling(state.word)
            context, log_prob = self._model.score(context, word)
            whole += self._weight * log_prob
            if not self._model.knows(word) and state.word not in self._hotwords.vocabulary:
                whole -= self._penalty
        hot = self._hotwords.end_word(state.hot)
        return FusionState(whole + self._boost * hot.words, whole, context, b"", hot)

    def _spelling(self, word: bytes) -> str:
        if word not in self._spellings:
            assert self._model is not None
            self._spellings[word] = known_spelling(self._model, word.decode(errors="replace"))
        return self._spellings[word]
