"""Whether a run says that something is wrong with its input."""

import contextlib
import logging
import warnings
from collections.abc import Iterator

from asr_qat import notices
from asr_qat.log import PACKAGES


class _Collected(logging.Handler):
    def __init__(self, said: list[str]):
        super().__init__(logging.WARNING)
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        self._said.append(record.getMessage())


@contextlib.contextmanager
def listening() -> Iterator[list[str]]:
    """Yield a list that what the packages warn of is added to, by the log or by `warnings`."""
    notices.forget()
    said: list[str] = []
    handler = _Collected(said)
    loggers = [logging.getLogger(name) for name in PACKAGES]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield said
            said += [str(warning.message) for warning in caught]
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
