"""What the packages log, on the terminal.

The library only logs, to the loggers of its modules, and leaves it to the program what is seen:
without `show_log` Python shows warnings alone.
"""

import logging
import sys

PACKAGES = ("asr_qat", "tflite_export", "experiments")


class _Terminal(logging.Handler):
    """A message is a line: news on standard output, warnings on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        stream = sys.stderr if record.levelno >= logging.WARNING else sys.stdout
        print(self.format(record), file=stream, flush=True)


_TERMINAL = _Terminal()


def show_log() -> None:
    """Show what the packages log from now on, such as the loss of a training step."""
    for name in PACKAGES:
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO)
        logger.addHandler(_TERMINAL)  # once, however often
        logger.propagate = False  # to handlers that other libraries add at the root
