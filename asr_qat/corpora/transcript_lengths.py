"""How long utterances are and how many labels they have, measured on LibriSpeech."""

import dataclasses
from pathlib import Path

import numpy as np
import soundfile

from asr_qat.corpora.fallback import read_corpus
from asr_qat.errors import UserError
from asr_qat.progress import progress
from asr_qat.text.normalize import normalize
from asr_qat.text.tokenizer import Tokenizer

WORD_PIECES = 1024  # the 1k word pieces of Gulati et al. (2020)


@dataclasses.dataclass(frozen=True)
class TranscriptLengths:
    """The training utterances of a corpus.

    Attributes:
        tokenizer: the vocabulary.
        seconds: float `[utterances]`, of audio.
        labels: int `[utterances]`, word pieces of the transcripts.
        corpus: what was measured, in words.
    """

    tokenizer: Tokenizer
    seconds: np.ndarray
    labels: np.ndarray
    corpus: str

    @property
    def labels_per_second(self) -> float:
        """Word pieces of a second of audio."""
        return float(self.labels.sum() / self.seconds.sum())


def measure_lengths(
    data: str | Path | None = None,
    tokenizer: str | Path | None = None,
    vocab_size: int = WORD_PIECES,
    quiet: bool = False,
) -> TranscriptLengths:
    """Read the transcripts and durations of LibriSpeech's training parts.

    Args:
        data: a folder with some of its parts; None to look for one, then download.
        tokenizer: SentencePiece model; None to learn one from these transcripts, as
            `asr-qat prepare` does.
        vocab_size: word pieces of the learned one.
        quiet: no progress.

    Raises:
        UserError: no training part, a recording that cannot be read, or another vocabulary size
            than these transcripts are enough for.
    """
    corpus = read_corpus("librispeech", data, quiet)
    utterances = corpus.splits.get("train")
    if not utterances:
        raise UserError(f"{corpus.name}: no train-* part to measure: add one")
    texts = [normalize(utterance.text) for utterance in utterances]
    if tokenizer is not None:
        words = Tokenizer.load(tokenizer)
    else:
        words = Tokenizer.train(sorted(texts), vocab_size)
        if words.vocab_size != vocab_size:
            raise UserError(
                f"{corpus.name}: {words.vocab_size} word pieces, not {vocab_size}: add more of "
                "its parts, or give a --tokenizer"
            )
    seconds = np.zeros(len(utterances))
    for i, item in enumerate(progress(utterances, "durations", len(utterances), quiet=quiet)):
        try:
            seconds[i] = soundfile.info(item.audio_path).duration
        except soundfile.SoundFileError as error:
            raise UserError(f"{item.audio_path}: cannot be read ({error})") from None
    labels = np.array([len(words.encode(text)) for text in texts])
    return TranscriptLengths(words, seconds, labels, corpus.description.rstrip("."))
