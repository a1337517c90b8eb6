"""The normalisers of transcripts by name.

A model is trained on texts of one of them, is scored by it, and carries its name: a word error rate
means little without. A folder or file that says nothing is of `PLAIN`.
"""

import functools
from collections.abc import Callable

from asr_qat.errors import UserError, require

PLAIN, LOWER, VERBATIM, WHISPER = "plain", "lower", "verbatim", "whisper"
OF_TRAINING = (PLAIN, LOWER, VERBATIM)
NAMES = (*OF_TRAINING, WHISPER)
UNKNOWN = "⁇"  # what SentencePiece writes for <unk>

Normalizer = Callable[[str], str]


def check_training(name: str) -> None:
    """Raise `UserError` unless `name` is that of a normaliser of training."""
    require(
        name in OF_TRAINING,
        f"normaliser {name!r}: models are trained on one of {', '.join(OF_TRAINING)}",
    )


def training_normalizer(name: str) -> Normalizer:
    """What transcripts go through before a model is trained on them.

    Args:
        name: `plain`, capitals without punctuation; `lower`, the same in small letters; or
            `verbatim`, which keeps both. See `asr_qat.text.normalize`.

    Raises:
        UserError: no such normaliser.
    """
    from asr_qat.text import normalize  # late: the names above are for `--help`, too

    check_training(name)
    found = {PLAIN: normalize.normalize, LOWER: normalize.lower, VERBATIM: normalize.verbatim}
    return found[name]


def scoring_normalizer(name: str) -> Normalizer:
    """What references and hypotheses go through before they are compared.

    An unknown word stays a word, and an error.

    Args:
        name: one of training, or `whisper`, that of OpenAI's Whisper for English, which the
            normaliser of the Open ASR Leaderboard follows: numbers become digits, contractions are
            spelled out, spellings are American, hesitations are omitted.

    Raises:
        UserError: no such normaliser, or the package of the last one is not installed.
    """
    if name == WHISPER:
        return _whisper()
    return functools.partial(_with_unknown, training_normalizer(name))


def keeps_case(name: str) -> bool:
    """Whether texts of a normaliser have capitals where their writer put them."""
    return name == VERBATIM


def _with_unknown(normalizer: Normalizer, text: str) -> str:
    parts = (part if part == UNKNOWN else normalizer(part) for part in text.split())
    return " ".join(filter(None, parts))


def _whisper() -> Normalizer:
    try:
        from whisper_normalizer.english import EnglishTextNormalizer
    except ImportError:
        raise UserError(
            "--normalizer whisper: needs the package whisper-normalizer: "
            "pip install 'asr-qat[whisper]'"
        ) from None
    found: Normalizer = EnglishTextNormalizer()
    return found
