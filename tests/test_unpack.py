"""Archives in the cache folder."""

import errno
import random
import tarfile

import pytest

from asr_qat.corpora.readers import unpack
from asr_qat.corpora.readers.unpack import unpacked
from asr_qat.errors import UserError

pytest_plugins = ["tests.corpus_fixtures"]
pytestmark = pytest.mark.usefixtures("own_cache")


def test_archives_cannot_write_elsewhere(tmp_path):
    (tmp_path / "evil").write_text("x")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(tmp_path / "evil", "../../evil-copy")
    with pytest.raises(UserError, match="a.tar: damaged archive"):
        unpacked(tmp_path / "a.tar")
    assert not list(tmp_path.rglob("evil-copy"))


FILES = {f"corpus/{i}.txt": random.Random(i).randbytes(2000) for i in range(8)}


@pytest.fixture(params=["", "gz", "bz2", "xz"])
def archive(tmp_path, request):
    """An archive of `FILES`, compressed or not."""
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    path = tmp_path / f"a.tar.{request.param}".rstrip(".")
    with tarfile.open(path, f"w:{request.param}") as tar:
        tar.add(tmp_path / "corpus", "corpus")
    return path


def cached(tmp_path):
    return list((tmp_path / "cache/unpacked").iterdir())


def refused(archive, tmp_path) -> str:
    with pytest.raises(UserError) as caught:
        unpacked(archive)
    message = str(caught.value)
    assert message.startswith(f"{archive}: damaged archive (")
    assert message.endswith(": remove it and fetch it again")
    assert not cached(tmp_path)
    return message


def test_unpacked_once(archive, tmp_path):
    folder = unpacked(archive)
    assert {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.txt")} == FILES
    assert unpacked(archive) == folder
    assert cached(tmp_path) == [folder]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6])
def test_a_part_of_an_archive(archive, tmp_path, share):
    content = archive.read_bytes()
    archive.write_bytes(content[: int(share * len(content))])
    refused(archive, tmp_path)


def test_cut_between_two_members(archive, tmp_path):
    """What is left of a plain archive looks like a whole one but for its end."""
    if archive.suffix != ".tar":
        pytest.skip("compressed")
    with tarfile.open(archive) as tar:
        cut = tar.getmember("corpus/5.txt").offset
    archive.write_bytes(archive.read_bytes()[:cut])
    assert "its end is missing" in refused(archive, tmp_path)


def test_damage_in_the_middle(archive, tmp_path):
    content = bytearray(archive.read_bytes())
    with tarfile.open(archive) as tar:
        header = tar.getmember("corpus/5.txt").offset
    middle = header if archive.suffix == ".tar" else len(content) // 2
    content[middle : middle + 8] = b"\xff" * 8
    archive.write_bytes(content)
    refused(archive, tmp_path)


def test_a_full_disk_is_no_damage(archive, tmp_path, monkeypatch):
    def full(*args, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(unpack.tarfile.TarFile, "extractall", full)
    with pytest.raises(OSError, match="No space left"):
        unpacked(archive)
    assert not cached(tmp_path)
