"""The corpora by name."""

from collections.abc import Callable
from pathlib import Path

from asr_qat.corpora import an4, librispeech, manifest, synthetic
from asr_qat.corpora.utterance import Corpus
from asr_qat.errors import UserError

READERS: dict[str, Callable[[Path], Corpus]] = {
    "an4": an4.read,
    "librispeech": librispeech.read,
    "manifest": manifest.read,
    "synthetic": synthetic.read,
}


def reader(name: str) -> Callable[[Path], Corpus]:
    """The reader of the corpus `name`. Raises `UserError` that lists the known names."""
    try:
        return READERS[name]
    except KeyError:
        raise UserError(f"unknown corpus {name!r}: choose one of {', '.join(READERS)}") from None
