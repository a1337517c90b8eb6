"""The corpora by name."""

from collections.abc import Callable
from pathlib import Path

from asr_qat.corpora.readers import (
    an4,
    audio_folder,
    common_voice,
    hugging_face,
    kaldi,
    lhotse,
    librispeech,
    manifest,
    nemo,
)
from asr_qat.corpora.synthetic import corpus as synthetic
from asr_qat.corpora.utterance import Corpus
from asr_qat.errors import UserError

READERS: dict[str, Callable[[Path], Corpus]] = {
    "an4": an4.read,
    "librispeech": librispeech.read,
    "manifest": manifest.read,
    "synthetic": synthetic.read,
    "nemo": nemo.read,
    "kaldi": kaldi.read,
    "lhotse": lhotse.read,
    "huggingface": hugging_face.read,
    "audiofolder": audio_folder.read,
    "common-voice": common_voice.read,
}


def reader(name: str) -> Callable[[Path], Corpus]:
    """The reader of the corpus `name`. Raises `UserError` that lists the known names."""
    try:
        return READERS[name]
    except KeyError:
        raise UserError(f"unknown corpus {name!r}: choose auto, {', '.join(READERS)}") from None
