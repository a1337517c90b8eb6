"""What the packages log, with and without a program that shows it."""

import logging
import subprocess
import sys

import pytest

from asr_qat.log import show_log

pytestmark = pytest.mark.runtime

LOGGER = logging.getLogger("asr_qat.corpora.prepare")


def test_news_and_warnings(capsys):
    show_log()
    show_log()  # changes nothing
    LOGGER.debug("never")
    LOGGER.info("step %d", 3)
    LOGGER.warning("skipped %s", "one")
    assert capsys.readouterr() == ("step 3\n", "skipped one\n")


def test_a_library_prints_warnings_alone():
    program = (
        "import logging, asr_qat; log = logging.getLogger('asr_qat.training.run');"
        "log.info('news'); log.warning('warning')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("", "warning\n")
