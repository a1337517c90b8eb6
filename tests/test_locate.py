"""Where corpora are looked for, and downloads over a server on this machine."""

import hashlib
import http.server
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from asr_qat.corpora import fallback, locate
from asr_qat.corpora.download import Unreachable, download
from asr_qat.corpora.locate import locate as locate_corpus
from asr_qat.corpora.synthetic import espeak_package
from asr_qat.errors import UserError

CONTENT = bytes(range(256)) * 4000
CHECKSUM = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves `content`; cuts the connection after `cut` bytes; may ignore ranges."""

    content = CONTENT
    cut: int | None = None
    ranges = True

    def handle_error(self, request, client_address):
        """A reader that goes away is part of the test."""


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path != "/corpus.tar.gz":
            self.send_error(404)
            return
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.server.ranges else 0
        content = self.server.content
        if start >= len(content):
            self.send_error(416)
            return
        body = content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.cut])

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    server = Server(("127.0.0.1", 0), Handler)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_port}/corpus.tar.gz"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ASR_QAT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ASR_QAT_DATA", raising=False)
    monkeypatch.setattr(locate, "_REPOSITORY", tmp_path / "repository")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def test_environment_that_names_no_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ASR_QAT_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="ASR_QAT_DATA: .*nowhere: no such folder"):
        locate_corpus("an4")


def test_download(server, tmp_path):
    path = tmp_path / "new" / "corpus.tar.gz"
    assert download(server.url, path, CHECKSUM, quiet=True) == path
    assert path.read_bytes() == CONTENT
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    download(server.url, path, CHECKSUM, quiet=True)
    assert len(server.asked) == 1


def test_several_at_once_fetch_once(server, tmp_path):
    path = tmp_path / "a"
    together = threading.Barrier(4)

    def fetch(_: int) -> Path:
        together.wait()
        return download(server.url, path, CHECKSUM, quiet=True)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(fetch, range(4))) == [path] * 4
    assert path.read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_md5(server, tmp_path):
    checksum = "md5:" + hashlib.md5(CONTENT).hexdigest()
    assert download(server.url, tmp_path / "a", checksum, quiet=True).exists()


@pytest.mark.parametrize("ranges", [True, False])
def test_resumes_after_a_cut_connection(server, tmp_path, ranges):
    path = tmp_path / "corpus.tar.gz"
    server.cut = 300_000
    with pytest.raises(Unreachable, match="try again to resume"):
        download(server.url, path, CHECKSUM, quiet=True)
    assert not path.exists()
    assert (tmp_path / "corpus.tar.gz.part").read_bytes() == CONTENT[:300_000]
    server.cut, server.ranges = None, ranges
    download(server.url, path, CHECKSUM, quiet=True)
    assert path.read_bytes() == CONTENT
    assert server.asked == [None, "bytes=300000-"]


def test_part_that_is_whole_already(server, tmp_path):
    (tmp_path / "a.part").write_bytes(CONTENT)
    download(server.url, tmp_path / "a", CHECKSUM, quiet=True)
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_wrong_checksum_leaves_nothing(server, tmp_path):
    with pytest.raises(UserError, match="expected 0000: try again") as caught:
        download(server.url, tmp_path / "a", "sha256:0000", quiet=True)
    assert server.url in str(caught.value)
    assert not isinstance(caught.value, Unreachable)
    assert not list(tmp_path.glob("a*"))


def test_refusal_and_no_server(server, tmp_path):
    with pytest.raises(Unreachable, match="404"):
        download(server.url + "x", tmp_path / "a", CHECKSUM, quiet=True)
    with pytest.raises(Unreachable, match="http://127.0.0.1:9/a: cannot be downloaded"):
        download("http://127.0.0.1:9/a", tmp_path / "a", CHECKSUM, quiet=True)
    assert not (tmp_path / "a").exists()


@pytest.fixture
def archive(tmp_path):
    def archive(folder):
        path = tmp_path / folder / "an4_sphere.tar.gz"
        path.parent.mkdir(parents=True)
        path.touch()
        return path

    return archive


def test_order_of_places(archive, tmp_path, monkeypatch):
    places = {name: archive(name) for name in ("given", "env", "shared/data")}
    assert locate_corpus("an4").samefile(places["shared/data"])
    monkeypatch.setenv("ASR_QAT_DATA", str(tmp_path / "env"))
    assert locate_corpus("an4") == places["env"]
    assert locate_corpus("an4", tmp_path / "given") == places["given"]
    assert locate_corpus("an4", places["given"]) == places["given"]


def test_unpacked_an4(tmp_path):
    lists = tmp_path / "data/an4/etc"
    lists.mkdir(parents=True)
    (lists / "an4_train.fileids").touch()
    assert locate_corpus("an4", tmp_path / "data") == tmp_path / "data/an4"
    assert locate_corpus("an4", tmp_path / "data/an4") == tmp_path / "data/an4"


def test_librispeech(tmp_path):
    (tmp_path / "data/LibriSpeech/dev-clean").mkdir(parents=True)
    assert locate_corpus("librispeech", tmp_path / "data") == tmp_path / "data/LibriSpeech"


@pytest.mark.parametrize("name", ["an4", "librispeech", "synthetic", "manifest"])
def test_data_that_is_not_there(name, tmp_path):
    with pytest.raises(UserError, match="--data") as caught:
        locate_corpus(name, tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in str(caught.value)


def test_manifest_needs_data():
    with pytest.raises(UserError, match="--data"):
        locate_corpus("manifest")


def test_librispeech_is_downloaded_part_by_part(server, tmp_path, monkeypatch):
    monkeypatch.setattr(locate, "LIBRISPEECH_URL", server.url.removesuffix("corpus.tar.gz"))
    monkeypatch.setattr(locate, "LIBRISPEECH_CHECKSUMS", {"corpus.tar.gz": CHECKSUM})
    folder = locate_corpus("librispeech", quiet=True)
    assert (folder / "corpus.tar.gz").read_bytes() == CONTENT


def test_an4_is_downloaded(server, monkeypatch):
    monkeypatch.setattr(locate, "AN4_URLS", (server.url,))
    monkeypatch.setattr(locate, "AN4_CHECKSUM", CHECKSUM)
    assert locate_corpus("an4", quiet=True).read_bytes() == CONTENT


def test_the_next_place_is_tried_where_one_has_it_not_or_has_another_file(
    server, tmp_path, monkeypatch
):
    other = Server(("127.0.0.1", 0), Handler)
    other.asked, other.content = [], b"Sign in to this network"
    thread = threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    login = f"http://127.0.0.1:{other.server_port}/corpus.tar.gz"
    monkeypatch.setattr(locate, "AN4_CHECKSUM", CHECKSUM)
    try:
        monkeypatch.setattr(locate, "AN4_URLS", (server.url + "x", login))
        with pytest.raises(Unreachable, match="404.*sha256") as caught:
            locate_corpus("an4", quiet=True)
        assert "\n" not in str(caught.value)
        monkeypatch.setattr(locate, "AN4_URLS", (server.url + "x", login, server.url))
        assert locate_corpus("an4", quiet=True).read_bytes() == CONTENT
    finally:
        other.shutdown()
        thread.join()
        other.server_close()
    assert (len(other.asked), len(server.asked)) == (2, 1)


def test_an4_out_of_reach_falls_back_on_synthetic_voices(monkeypatch, caplog, tmp_path):
    monkeypatch.setattr(locate, "AN4_URLS", ("http://127.0.0.1:9/an4_sphere.tar.gz",))
    monkeypatch.setitem(locate._PLACES, "synthetic", (lambda place: tmp_path, None))
    readers = {"an4": None, "synthetic": lambda path: ("synthetic", path)}
    monkeypatch.setattr(fallback, "reader", readers.get)
    assert fallback.read_corpus("an4", quiet=True) == ("synthetic", tmp_path)
    (said,) = caplog.messages
    assert said.endswith("using synthetic voices instead")
    with pytest.raises(Unreachable):
        fallback.read_corpus("an4", quiet=True, fallback=False)


def test_nothing_in_reach_is_one_line(monkeypatch):
    monkeypatch.setattr(locate, "AN4_URLS", ("http://127.0.0.1:9/an4_sphere.tar.gz",))
    monkeypatch.setattr(espeak_package, "_pip_download", lambda folder, checksum: "no network")
    with pytest.raises(Unreachable, match="9/an4_sphere.*no network.*--data") as caught:
        fallback.read_corpus("an4", quiet=True)
    assert "\n" not in str(caught.value)
    assert not list(espeak_package.cache_folder().iterdir())


def test_unknown_corpus():
    with pytest.raises(UserError, match="'an5': choose .* an4, librispeech, manifest, synthetic"):
        fallback.read_corpus("an5")
