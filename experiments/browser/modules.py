"""The JavaScript modules of a page, called from Python."""

import base64
import contextlib
import dataclasses
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from asr_qat.audio.front_end import FrontEndConfig
from experiments.browser.chromium import NO_GPU, Tab, browser
from tflite_export.browser.description import front_end_description
from tflite_export.browser.server import serving

HERE = Path(__file__).parent
HARNESS = ("compare.html", "compare.js")  # are copied into the page


@dataclasses.dataclass(frozen=True)
class Found:
    """What the page finds in one utterance.

    Attributes:
        first: label and frame of each emission of the first pass.
        second: the same of the second pass.
        shown: the transcripts that a user sees, one after the other, as in the server's messages.
        piece_ms: what each piece took, from its samples to its words.
    """

    first: list[tuple[int, int]]
    second: list[tuple[int, int]]
    shown: list[dict[str, Any]]
    piece_ms: list[float]

    @property
    def second_labels(self) -> list[int]:
        """The labels of the second pass without their frames: the text."""
        return [label for label, _ in self.second]


class Modules:
    """What `compare.js` exports.

    Args:
        tab: where it is imported as `compare`.
    """

    def __init__(self, tab: Tab):
        self._tab = tab

    def load(self, threads: int = 1) -> float:
        """Load the page's model: milliseconds until it could recognise."""
        took_ms: float = self._tab.run(f"compare.load({threads})")
        return took_ms

    def log_mel(self, audio: np.ndarray, config: FrontEndConfig) -> np.ndarray:
        """As `asr_qat.audio.front_end.log_mel`."""
        told = json.dumps(front_end_description(config))
        return _floats(self._tab.run(f"compare.logMel({told}, '{_base64(audio)}')"), config)

    def streamed(self, audio: np.ndarray, size: int, config: FrontEndConfig) -> np.ndarray:
        """The model's normalised features `[frames, mel_bins]` of audio in pieces of `size`."""
        return _floats(self._tab.run(f"compare.streamed('{_base64(audio)}', {size})"), config)

    def recognise(self, audio: np.ndarray, size: int) -> Found:
        """One utterance that comes in pieces of `size` samples."""
        found = self._tab.run(f"compare.recognise('{_base64(audio)}', {size})")
        first, second = (
            [(label["token"], label["frame"]) for label in found[name]]
            for name in ("first", "second")
        )
        return Found(first, second, found["shown"], found["pieceMs"])

    def tokens(self, audio: np.ndarray) -> list[int]:
        """The labels of a whole utterance, of a model of such."""
        found: list[int] = self._tab.run(f"compare.wholeTokens('{_base64(audio)}')")
        return found

    def memory(self) -> dict[str, int]:
        """Bytes of WebAssembly and of JavaScript."""
        found: dict[str, int] = self._tab.run("compare.memory()")
        return found

    def webgpu(self) -> dict[str, Any]:
        """The adapter, and how far each signature is off there, as a share of its range."""
        found: dict[str, Any] = self._tab.run("compare.webgpu()")
        return found

    def version(self) -> str:
        """Of the browser."""
        product: str = self._tab.call("Browser.getVersion")["product"]
        return product


@contextlib.contextmanager
def opened(page: Path, gpu: Sequence[str] = NO_GPU) -> Iterator[Modules]:
    """The modules of a page in a browser of its own, the model not yet loaded; see `browser`."""
    for name in HARNESS:
        shutil.copy(HERE / name, page)
    # What Chromium's own processes write after its end may stay.
    kept = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    with serving(page) as address, kept as folder:
        with browser(Path(folder), gpu=gpu) as tab:
            tab.open(f"{address}{HARNESS[0]}")
            tab.run("import('./compare.js').then((found) => { globalThis.compare = found; })")
            yield Modules(tab)


def renderer_mb(field: str) -> float:
    """Memory of the largest process that renders a page of this one's browser, MB (10^6).

    Args:
        field: of Linux' `/proc/PID/status`: `VmRSS`, or `VmHWM` for the peak.
    """
    sizes = [0]
    for child in psutil.Process().children(recursive=True):
        if "--type=renderer" in child.cmdline():
            lines = Path(f"/proc/{child.pid}/status").read_text().splitlines()
            sizes += [int(line.split()[1]) for line in lines if line.startswith(f"{field}:")]
    return max(sizes) * 1024 / 1e6


def _base64(audio: np.ndarray) -> str:
    return base64.b64encode(audio.astype("<f4").tobytes()).decode()


def _floats(text: str, config: FrontEndConfig) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f4").reshape(-1, config.mel_bins)
