"""The folder for downloads and what is made from them."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """`$ASR_QAT_CACHE`, or `~/.cache/asr-qat`."""
    return Path(os.environ.get("ASR_QAT_CACHE") or "~/.cache/asr-qat").expanduser()
