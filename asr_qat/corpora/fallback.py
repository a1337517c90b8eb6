"""Reading a corpus by name, with one to fall back on where AN4 cannot be had."""

import logging
from pathlib import Path

from asr_qat.corpora.download import Unreachable
from asr_qat.corpora.locate import locate
from asr_qat.corpora.readers.registry import reader
from asr_qat.corpora.recognise import recognise
from asr_qat.corpora.utterance import Corpus
from asr_qat.errors import require

_LOGGER = logging.getLogger(__name__)


AUTO = "auto"


def read_corpus(
    name: str | None, data: str | Path | None = None, quiet: bool = False, fallback: bool = True
) -> Corpus:
    """Find and read the corpus `name`.

    Args:
        name: of `asr_qat.corpora.readers.registry`, or `auto` for whatever lies at `data`. None
            for `auto` with `data`, for `an4` without.
        data: where it lies; None to look for it, then download it.
        quiet: say nothing and show no progress.
        fallback: take `synthetic`, with a warning in the log, for AN4 that is nowhere to be had.

    Raises:
        UserError: an unknown name, data that is not recognised, or a corpus that cannot be found
            or read.
    """
    if name is None:
        name = "an4" if data is None else AUTO
    if name == AUTO:
        require(data is not None, "auto: name the folder or file of your corpus with --data")
        assert data is not None
        name, seen = recognise(data)
        if not quiet:
            _LOGGER.info("%s: taken for --corpus %s, known by %s", data, name, seen)
    read = reader(name)
    try:
        return read(locate(name, data, quiet))
    except Unreachable as missing:
        if name != "an4" or not fallback:
            raise
        try:
            corpus = reader("synthetic")(locate("synthetic", quiet=quiet))
        except Unreachable as error:
            raise Unreachable(f"{missing}; nor is there the default corpus: {error}") from None
        _LOGGER.warning("an4 is out of reach (%s): using synthetic voices instead", missing)
        return corpus
