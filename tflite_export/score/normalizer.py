"""What of two texts is compared in scoring."""

from collections.abc import Callable

from asr_qat.errors import UserError
from asr_qat.text.normalize import normalize

PLAIN, WHISPER = "plain", "whisper"
UNKNOWN = "⁇"  # what SentencePiece writes for <unk>


def normalizer(name: str) -> Callable[[str], str]:
    """What references and hypotheses go through before their words are compared.

    Args:
        name: `plain`, the normaliser of the training texts; or `whisper`, that of OpenAI's
            Whisper for English, which the normaliser of the Open ASR Leaderboard follows: numbers
            become digits, contractions are spelled out, spellings are American, hesitations are
            omitted.

    Raises:
        UserError: the package of the latter is not installed.
    """
    if name == PLAIN:
        return _plain
    try:
        from whisper_normalizer.english import EnglishTextNormalizer
    except ImportError:
        raise UserError(
            "--normalizer whisper: needs the package whisper-normalizer: "
            "pip install 'asr-qat[whisper]'"
        ) from None
    found: Callable[[str], str] = EnglishTextNormalizer()
    return found


def _plain(text: str) -> str:
    """The normalised words; an unknown one stays a word, and an error."""
    words = (word if word == UNKNOWN else normalize(word) for word in text.split())
    return " ".join(filter(None, words))
