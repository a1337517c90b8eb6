"""Reading a corpus by name, with one to fall back on where AN4 cannot be had."""

import logging
from pathlib import Path

from asr_qat.corpora.download import Unreachable
from asr_qat.corpora.locate import locate
from asr_qat.corpora.readers import reader
from asr_qat.corpora.utterance import Corpus

_LOGGER = logging.getLogger(__name__)


def read_corpus(
    name: str, data: str | Path | None = None, quiet: bool = False, fallback: bool = True
) -> Corpus:
    """Find and read the corpus `name`.

    AN4 that is nowhere to be had is replaced by `asterisk`, with a warning in the log,
    unless `fallback` is false.

    Raises:
        UserError: an unknown name, or a corpus that cannot be found or read.
    """
    read = reader(name)
    try:
        return read(locate(name, data, quiet))
    except Unreachable as missing:
        if name != "an4" or not fallback:
            raise
        try:
            corpus = reader("asterisk")(locate("asterisk", quiet=quiet))
        except Unreachable as error:
            raise Unreachable(f"{missing}; nor is there the default corpus: {error}") from None
        _LOGGER.warning("an4 is out of reach (%s): using asterisk instead", missing)
        return corpus
