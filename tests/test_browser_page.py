"""`tflite-export page`: what is written, and what is said of that which cannot be."""

import json
import re
import urllib.request

import pytest

from asr_qat.errors import UserError
from tflite_export.browser import litertjs, page
from tflite_export.browser.litertjs import CORE, WASM_UTILS, litertjs_files, registry
from tflite_export.browser.page import LIST, write_page
from tflite_export.browser.server import serving
from tflite_export.cli import build_parser
from tflite_export.runtime.live.endpoint import EndpointConfig

pytest_plugins = ["tests.live_file"]
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def no_download(monkeypatch, tmp_path):
    monkeypatch.setenv("ASR_QAT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")


@pytest.fixture
def without_litertjs(monkeypatch):
    monkeypatch.setattr(page, "litertjs_files", lambda folder: {"litertjs/core.js": b"//"})


def listed(folder):
    text = (folder / LIST).read_text()
    return json.loads(text[text.index("{") : text.rindex("}") + 1])


def test_what_is_written(live_file, without_litertjs, tmp_path):
    out = tmp_path / "page"
    found = write_page(live_file, out, rule=EndpointConfig(0.5, 9.0), about="letters")
    assert not found.widened and (out / "model.tflite").read_bytes() == live_file.read_bytes()
    files = {str(path.relative_to(out)): path for path in out.rglob("*") if path.is_file()}
    assert files.keys() == found.sizes.keys() == {*listed(out)["paths"], LIST}
    assert all(path.stat().st_size == found.sizes[name] for name, path in files.items())
    told = json.loads((out / "model.json").read_text())
    assert told["about"] == "letters" and told["endpoint"] == {"pause_s": 0.5, "longest_s": 9.0}
    assert told["front_end"]["hop_length"] == 160 and told["live"]["chunks"] == [1, 3]


def test_the_version_is_that_of_the_files(live_file, without_litertjs, tmp_path):
    """The same twice; another one as soon as a file changes, so that browsers read it again."""
    versions = []
    for about in ("one", "one", "two"):
        write_page(live_file, tmp_path / "page", about=about)
        versions.append(listed(tmp_path / "page")["version"])
    assert versions[0] == versions[1] != versions[2]


def test_modules_are_there(live_file, without_litertjs, tmp_path):
    """Each file that a module imports or the page names is among those that are written."""
    sizes = write_page(live_file, tmp_path / "page").sizes
    for name in sizes:
        if name.endswith((".js", ".html")):
            text = (tmp_path / "page" / name).read_text()
            for used in re.findall(r'(?:from "\./|src="|addModule\(")([\w./]+)"', text):
                assert used in sizes, f"{name}: {used}"


def test_refused(live_file, without_litertjs, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="other: has other files: name a new folder"):
        write_page(live_file, tmp_path / "other")
    with pytest.raises(UserError, match="no such file"):
        write_page(tmp_path / "none.tflite", tmp_path / "page")
    assert not (tmp_path / "page").exists()


def test_no_network(tmp_path):
    with pytest.raises(UserError, match=f"127.0.0.1:9/.*--litertjs FOLDER, with {CORE.archive}"):
        litertjs_files()


def test_archives(tmp_path):
    with pytest.raises(UserError, match=r"core-.*tgz: no such file: write it with `npm pack @lite"):
        litertjs_files(tmp_path)
    for package in (CORE, WASM_UTILS):
        (tmp_path / package.archive).write_bytes(b"another")
    with pytest.raises(UserError, match="its checksum is wrong"):
        litertjs_files(tmp_path)


def test_the_registry_of_npm(monkeypatch, tmp_path):
    assert registry() == "http://127.0.0.1:9/"
    monkeypatch.delenv("npm_config_registry")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert registry() == litertjs.REGISTRY
    (tmp_path / ".npmrc").write_text("audit=false\nregistry = https://npm.example.org\n")
    url = "https://npm.example.org/@litertjs/core/-/core-"
    assert CORE.url(registry()).startswith(url)


def test_the_command(live_file, without_litertjs, tmp_path, capsys):
    words = ["page", str(live_file), "--out", str(tmp_path / "page"), "--pause-s", "1.5"]
    args = build_parser().parse_args(words)
    args.run(args)
    sizes = [path.stat().st_size for path in (tmp_path / "page").rglob("*") if path.is_file()]
    assert f"page: {sum(sizes):,} bytes that a browser reads\n" in capsys.readouterr().out
    assert json.loads((tmp_path / "page" / "model.json").read_text())["endpoint"]["pause_s"] == 1.5


def test_how_it_is_served(tmp_path):
    """Isolated, and as types that a browser runs."""
    for name in ("main.js", "run.wasm"):
        (tmp_path / name).write_bytes(b"content")
    with serving(tmp_path) as address:
        with urllib.request.urlopen(f"{address}main.js") as answer:
            assert answer.read() == b"content"
            assert answer.headers["Content-Type"] == "text/javascript"
            assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
            assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        with urllib.request.urlopen(f"{address}run.wasm") as answer:
            assert answer.headers["Content-Type"] == "application/wasm"
