"""How a beam search searches: its width, a language model, hotwords."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

from asr_qat.decoding.fusion import WordFusion
from asr_qat.decoding.language_model import load_language_model
from asr_qat.errors import UserError, require
from asr_qat.text.normalizers import training_normalizer
from tflite_export.runtime.metadata import Metadata


@dataclasses.dataclass(frozen=True)
class BeamSearch:
    """A beam search of a CTC model or a transducer.

    The defaults are a beginning; `lm_weight` and `word_bonus` are worth a few tries on recordings
    that are not the test.

    Attributes:
        width: hypotheses that are kept.
        lm: n-gram model of words: an ARPA file, or a KenLM binary (needs the extra `lm`).
        lm_weight: of its log-probabilities.
        word_bonus: for each word, in nats, with a language model.
        unknown_penalty: for each word that it does not know and that is no hotword.
        hotwords: words and phrases that are likely.
        hotword_boost: for each word of these, in nats: 3 makes it 20 times as likely.
    """

    width: int = 8
    lm: str | Path | None = None
    lm_weight: float = 0.3
    word_bonus: float = 1.0
    unknown_penalty: float = 3.0
    hotwords: Sequence[str] = ()
    hotword_boost: float = 3.0

    def __post_init__(self) -> None:
        """Raise `UserError` for a number out of range, or a string in place of hotwords."""
        words = not isinstance(self.hotwords, str)
        require(words, f"hotwords: a tuple of words and phrases, such as ({self.hotwords!r},)")
        object.__setattr__(self, "hotwords", tuple(self.hotwords))  # so that a list is one, too
        require(self.width >= 1, f"beam: {self.width} is less than 1")
        for name in ("lm_weight", "word_bonus", "unknown_penalty", "hotword_boost"):
            value = getattr(self, name)
            require(math.isfinite(value), f"{name}: {value} is no number")
        require(self.lm_weight >= 0, f"lm_weight: {self.lm_weight} is less than 0")

    def fusion(self, metadata: Metadata) -> WordFusion | None:
        """What the language model and the hotwords add; None if there are none.

        Args:
            metadata: of the recogniser.

        Raises:
            UserError: no such language model, a damaged one, or a hotword with letters that the
                vocabulary does not have.
        """
        if self.lm is None and not self.hotwords:
            return None
        hotwords = [_spelled(phrase, metadata) for phrase in self.hotwords]
        with_model = self.lm is not None
        return WordFusion(
            metadata.tokenizer.label_bytes(),
            load_language_model(self.lm) if self.lm is not None else None,
            lm_weight=self.lm_weight,
            word_bonus=self.word_bonus if with_model else 0.0,
            unknown_penalty=self.unknown_penalty if with_model else 0.0,
            hotwords=hotwords,
            hotword_boost=self.hotword_boost,
        )


def _spelled(phrase: str, metadata: Metadata) -> str:
    """A hotword as the labels spell it."""
    text, tokenizer = training_normalizer(metadata.normalizer)(phrase), metadata.tokenizer
    require(bool(text), f"hotword {phrase!r}: has no letters")
    unknown = tokenizer.unknown_characters(text)
    if unknown:
        raise UserError(f"hotword {phrase!r}: the model has no {' '.join(sorted(unknown))}")
    return tokenizer.in_case(text)
