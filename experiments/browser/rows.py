"""What `python -m experiments.browser` finds."""

import dataclasses

from asr_qat.provenance import Provenance
from experiments.targets import Row, at_least, at_most, without_target

LEAST_UTTERANCES = 40
MOST_PIECE_MS = 10.0
MOST_FEATURE_ERROR = 1e-4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Difference:
    """An utterance of which Python and the browser do not find the same labels.

    Attributes:
        id: of the recording.
        passes: in which: `first`, `second` or `first, second`.
        python: text of the second pass.
        browser: the same in the browser.
    """

    id: str
    passes: str
    python: str
    browser: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpeedRow:
    """A browser that recognises the recordings piece by piece.

    Attributes:
        threads: of LiteRT.js; more than one in its threaded build.
        load_ms: from the first read of the page's files until it could recognise.
        median_ms: what a piece takes, from its samples to its words.
        p95_ms: the same of all but 5 of 100.
        worst_ms: the same of the slowest.
        wasm_mb: memory of WebAssembly, MB (10^6).
        javascript_mb: heap of JavaScript.
        before_mb: memory of the process that renders the page before it reads the model.
        peak_mb: its peak.
    """

    threads: int
    load_ms: float
    median_ms: float
    p95_ms: float
    worst_ms: float
    wasm_mb: float
    javascript_mb: float
    before_mb: float
    peak_mb: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class DownloadRow:
    """What a browser reads once.

    Attributes:
        part: `model`, `LiteRT.js` or `page`.
        bytes: as they are.
        gzip_bytes: as a server sends them that compresses.
    """

    part: str
    bytes: int
    gzip_bytes: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class WebGpuRow:
    """A file on WebGPU beside WebAssembly, on the same noise.

    Attributes:
        file: of the live model: the one that was compared with Python, or its float one.
        adapter: vendor and architecture; None where the browser has none.
        errors: largest difference of each signature's outputs, each as a share of its range.
    """

    file: str
    adapter: str | None
    errors: dict[str, float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class BrowserResults(Provenance):
    """A live file in a browser beside the same file in Python.

    Attributes:
        file: of the live model.
        method: how it was quantized.
        widths: of its layers.
        data: name of the recordings.
        browser: name and version.
        litertjs: version.
        piece_ms: milliseconds of audio that come together.
        utterances: how many.
        audio_s: seconds of them.
        first: utterances with the same labels at the same frames in the first pass.
        second: the same of the second pass.
        shown: utterances of which all that a user sees is the same, with every change on the way.
        texts: utterances with the same text in the end.
        floor: utterances with another text in Python alone when the audio is louder by a millionth.
        differences: those where labels differ.
        feature_error: largest difference of a normalised feature.
        speed: by threads.
        python_median_ms: what a piece takes in Python, one thread.
        download: by part.
        webgpu: files there.
        targets: what was promised.
    """

    file: str
    method: str
    widths: str
    data: str
    browser: str
    litertjs: str
    piece_ms: int
    utterances: int
    audio_s: float
    first: int
    second: int
    shown: int
    texts: int
    floor: int
    differences: tuple[Difference, ...]
    feature_error: float
    speed: tuple[SpeedRow, ...]
    python_median_ms: float
    download: tuple[DownloadRow, ...]
    webgpu: tuple[WebGpuRow, ...]
    targets: tuple[Row, ...] = ()

    def with_targets(self) -> "BrowserResults":
        """The same with `targets`."""
        single = next(row for row in self.speed if row.threads == 1)
        rows = (
            at_least("utterances with Python's text", self.texts, LEAST_UTTERANCES),
            without_target("utterances with another text", self.utterances - self.texts),
            without_target("the same in Python, audio louder by a millionth", self.floor),
            at_most("largest difference of a feature", self.feature_error, MOST_FEATURE_ERROR),
            at_most(
                f"{self.piece_ms} ms of audio, one thread, median ms",
                single.median_ms,
                MOST_PIECE_MS,
            ),
            at_most("the same, 95 of 100, ms", single.p95_ms, MOST_PIECE_MS),
            without_target("memory of WebAssembly, MB", single.wasm_mb),
            without_target("download, MB", sum(row.bytes for row in self.download) / 1e6),
            without_target(
                "download, compressed, MB", sum(row.gzip_bytes for row in self.download) / 1e6
            ),
        )
        return dataclasses.replace(self, targets=rows)
