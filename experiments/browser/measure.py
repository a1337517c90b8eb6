"""Recognise recordings in a browser and in Python, piece by piece."""

import gzip
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from asr_qat.audio.front_end import log_mel, normalize
from asr_qat.corpora.utterance import Utterance
from asr_qat.progress import progress
from experiments.browser.chromium import SOFTWARE_GPU
from experiments.browser.modules import Found, Modules, opened, renderer_mb
from experiments.browser.rows import Difference, DownloadRow, SpeedRow, WebGpuRow
from tflite_export.browser.litertjs import BUILDS, VERSION, litertjs_files
from tflite_export.browser.page import MODEL, Page
from tflite_export.runtime.live.endpoint import WHOLE_RECORDING
from tflite_export.runtime.live.events import Transcript, event_message
from tflite_export.runtime.live.live_model import LiveModel
from tflite_export.runtime.live.session import Session

WEBGPU_BUILD = "litert_wasm_jspi_internal"
LOUDER = np.float32(1 + 1e-6)  # which no one hears, and rounding does
SHOWN = ("type", "utterance", "words", "stable")  # of a message


def compare(
    page: Page,
    model: LiveModel,
    items: Sequence[Utterance],
    piece_ms: int,
    threads: Sequence[int],
    quiet: bool = False,
) -> dict[str, Any]:
    """Fields of `BrowserResults`.

    Args:
        page: of the file; its folder gets the files of the comparison, too.
        model: the same file in Python.
        items: recordings, of one utterance each.
        piece_ms: milliseconds of audio that come together.
        threads: of LiteRT.js, 1 among them.
        quiet: no progress.
    """
    rate = model.front_end.sample_rate
    audio, size = [item.read(rate) for item in items], rate * piece_ms // 1000
    expected = [in_python(model, samples, size) for samples in audio]
    speed, by_threads = [], {}
    for count in threads:
        with opened(page.folder) as modules:
            before, load_ms = renderer_mb("VmRSS"), modules.load(count)
            shown = progress(audio, f"{count} threads", len(audio), "recording", quiet)
            found = by_threads[count] = [modules.recognise(samples, size) for samples in shown]
            speed.append(_speed_row(modules, count, load_ms, before, found))
            if count == 1:
                version = modules.version()
                error = feature_error(modules, model, audio, size)
    louder = [in_python(model, LOUDER * samples, size) for samples in audio]
    return {
        **_agreement(model, items, expected, by_threads[1]),
        "floor": sum(
            a.second_labels != b.second_labels for a, b in zip(expected, louder, strict=True)
        ),
        "browser": version,
        "litertjs": VERSION,
        "piece_ms": piece_ms,
        "utterances": len(items),
        "audio_s": round(sum(map(len, audio)) / rate, 1),
        "feature_error": error,
        "speed": tuple(speed),
        "python_median_ms": _median(expected),
        "download": downloads(page),
    }


def webgpu(path: Path, page: Page, litertjs: str | None) -> WebGpuRow:
    """A file on WebGPU beside WebAssembly, in a browser whose adapter is software.

    Args:
        path: of the file.
        page: whose model is replaced by it.
        litertjs: as of `write_page`.
    """
    folder = None if litertjs is None else Path(litertjs)
    for name, content in litertjs_files(folder, (WEBGPU_BUILD,)).items():
        (page.folder / name).write_bytes(content)
    (page.folder / MODEL).write_bytes(path.read_bytes())
    with opened(page.folder, SOFTWARE_GPU) as modules:
        return WebGpuRow(file=path.name, **modules.webgpu())


def in_python(model: LiveModel, audio: np.ndarray, size: int) -> Found:
    """What Python finds in one utterance that comes in pieces of `size` samples."""
    session = Session(model, WHOLE_RECORDING)
    events, piece_ms = [], []
    for at in range(0, len(audio), size):
        began = time.perf_counter()
        events += session.accept(audio[at : at + size])
        piece_ms.append(1000 * (time.perf_counter() - began))
    events += session.finish()
    messages = [event_message(event) for event in events if isinstance(event, Transcript)]
    assert session.ended is not None
    first, second = (
        [(label.token, label.frame) for label in search.emissions]
        for search in (session.ended.first, session.ended.second)
    )
    shown = [{name: message[name] for name in SHOWN} for message in messages]
    return Found(first, second, shown, piece_ms)


def feature_error(
    modules: Modules, model: LiveModel, audio: Sequence[np.ndarray], size: int
) -> float:
    """The largest difference of a normalised feature between the page and Python."""
    front_end, worst = model.front_end, 0.0
    for samples in audio:
        ours = normalize(log_mel(samples, front_end), front_end, model.mean, model.std)
        theirs = modules.streamed(samples, size, front_end)
        worst = max(worst, float(np.abs(ours - theirs).max()))
    return worst


def downloads(page: Page) -> tuple[DownloadRow, ...]:
    """What a browser reads once, by part."""
    others = tuple(f"litertjs/wasm/{build}." for build in BUILDS[1:])
    parts: dict[str, list[str]] = {"model": [], "LiteRT.js": [], "page": []}
    for name in page.sizes:
        if not name.startswith(others):
            part = "LiteRT.js" if name.startswith("litertjs/") else "page"
            parts["model" if name == MODEL else part].append(name)
    return tuple(
        DownloadRow(
            part=part,
            bytes=sum(page.sizes[name] for name in names),
            gzip_bytes=sum(len(gzip.compress((page.folder / name).read_bytes())) for name in names),
        )
        for part, names in parts.items()
    )


def _agreement(
    model: LiveModel,
    items: Sequence[Utterance],
    expected: Sequence[Found],
    found: Sequence[Found],
) -> dict[str, Any]:
    """How many utterances are the same in both, and those that are not."""
    counts = {"first": 0, "second": 0, "shown": 0, "texts": 0}
    differences = []
    for item, ours, theirs in zip(items, expected, found, strict=True):
        texts = [model.tokenizer.decode(each.second_labels) for each in (ours, theirs)]
        same = {name: getattr(ours, name) == getattr(theirs, name) for name in list(counts)[:3]}
        for name, equal in {**same, "texts": texts[0] == texts[1]}.items():
            counts[name] += equal
        passes = [name for name in ("first", "second") if not same[name]]
        if passes:
            differences.append(
                Difference(id=item.id, passes=", ".join(passes), python=texts[0], browser=texts[1])
            )
    return {**counts, "differences": tuple(differences)}


def _speed_row(
    modules: Modules, threads: int, load_ms: float, before_mb: float, found: Sequence[Found]
) -> SpeedRow:
    taken = np.concatenate([each.piece_ms for each in found])
    memory = modules.memory()
    return SpeedRow(
        threads=threads,
        load_ms=load_ms,
        median_ms=float(np.median(taken)),
        p95_ms=float(np.percentile(taken, 95)),
        worst_ms=float(taken.max()),
        wasm_mb=memory["wasm"] / 1e6,
        javascript_mb=memory["javascript"] / 1e6,
        before_mb=before_mb,
        peak_mb=renderer_mb("VmHWM"),
    )


def _median(found: Sequence[Found]) -> float:
    return float(np.median(np.concatenate([each.piece_ms for each in found])))
