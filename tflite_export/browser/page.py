"""A static page that recognises on the device that opens it, with all that it needs beside it."""

import dataclasses
import hashlib
import json
from importlib import resources
from pathlib import Path

from asr_qat import files
from asr_qat.decoding.live_format import LiveFormat
from asr_qat.errors import require
from tflite_export.browser import site
from tflite_export.browser.description import description
from tflite_export.browser.litertjs import BUILDS, litertjs_files
from tflite_export.runtime import live
from tflite_export.runtime.live.endpoint import EndpointConfig
from tflite_export.runtime.metadata import read_metadata_of
from tflite_export.runtime.model_file import ModelFile
from tflite_export.runtime.widen import widened

MODEL, DESCRIPTION = "model.tflite", "model.json"
LIST = "files.js"  # of all files, by which the service worker knows one page from another
SHARED = ("page.css", "shown.js", "microphone.js", "recorder.js")  # with the page of the server
WEB = (".js", ".html", ".css")
WIDENED_BITS = 4  # LiteRT.js computes products of 2 bits six times slower


@dataclasses.dataclass(frozen=True)
class Page:
    """What was written.

    Attributes:
        folder: of the page.
        sizes: bytes of its files, by their paths.
        widened: whether weights of 2 bits became wider.
    """

    folder: Path
    sizes: dict[str, int]
    widened: bool

    @property
    def read_bytes(self) -> int:
        """Bytes that a browser reads: all but the builds of LiteRT.js that it does not take."""
        others = tuple(f"litertjs/wasm/{build}." for build in BUILDS[1:])
        return sum(size for name, size in self.sizes.items() if not name.startswith(others))


def write_page(
    path: str | Path,
    folder: str | Path,
    litertjs: str | Path | None = None,
    rule: EndpointConfig | None = None,
    about: str | None = None,
    *,
    verify: bool = True,
) -> Page:
    """Write the page of a file.

    Args:
        path: `.tflite` of a live model or of one of whole utterances.
        folder: a new one, an empty one, or that of a page, which is replaced.
        litertjs: folder with the archives of LiteRT.js, see `litertjs_files`.
        rule: when an utterance ends.
        about: what the page says of the model.
        verify: refuse a file whose checksum is wrong.

    Raises:
        UserError: no such file, damaged, or full-integer; a folder with other files; no
            LiteRT.js.
    """
    file, folder = ModelFile.read(path, verify), Path(folder)
    metadata = read_metadata_of(file)
    require(metadata.full_integer is None, f"{path}: a full-integer file: a page takes others")
    known = not folder.exists() or (folder / LIST).exists() or not any(folder.iterdir())
    require(known, f"{folder}: has other files: name a new folder")
    wide = widened(file, WIDENED_BITS)
    said = about or _about(file.path.name, metadata.live)
    told = description(wide.content, metadata, rule or EndpointConfig(), said)
    contents = {
        **litertjs_files(None if litertjs is None else Path(litertjs)),
        **_own_files(),
        MODEL: wide.content,
        DESCRIPTION: json.dumps(told, separators=(",", ":")).encode(),
    }
    # First, so that a page that is broken off is known for one.
    contents = {LIST: _list(contents), **contents}
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        files.write_bytes(folder / name, content)
    sizes = {name: len(content) for name, content in contents.items()}
    return Page(folder, sizes, wide is not file)


def _about(name: str, live: LiveFormat | None) -> str:
    if live is None:
        return f"{name}: words when the recording is over"
    first, second = (f"{ms:g} ms" for ms in live.delays_ms)
    return f"{name}: words wait for {first} of sound, their correction for {second}"


def _own_files() -> dict[str, bytes]:
    own = {
        each.name: each.read_bytes()
        for each in resources.files(site).iterdir()
        if each.name.endswith(WEB)
    }
    return own | {name: resources.files(live).joinpath(name).read_bytes() for name in SHARED}


def _list(contents: dict[str, bytes]) -> bytes:
    """A script with the paths of the files and a version that changes when one of them does."""
    digest = hashlib.sha256()
    for name in sorted(contents):
        digest.update(name.encode() + b"\0" + hashlib.sha256(contents[name]).digest())
    found = {"version": digest.hexdigest(), "paths": sorted(contents)}
    return f"self.FILES = {json.dumps(found, indent=1)};\n".encode()
