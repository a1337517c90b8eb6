"""Files that appear whole or not at all, and UTF-8."""

import os
import stat

import pytest

from asr_qat import files
from asr_qat.errors import UserError

pytestmark = pytest.mark.runtime


def test_a_file_is_replaced_only_by_a_whole_one(tmp_path):
    path = tmp_path / "new/x.txt"
    files.write_text(path, "one")
    with pytest.raises(KeyError), files.replacing(path) as temporary:
        temporary.write_text("tw")
        raise KeyError
    assert path.read_text() == "one"
    files.write_text(path, "two")
    assert path.read_text() == "two"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_permissions_are_those_of_any_new_file(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        files.write_text(tmp_path / "x", "")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == mode


def test_errors_name_the_file_itself(tmp_path):
    path = tmp_path / "x"
    with pytest.raises(OSError) as caught, files.replacing(path):
        raise OSError(28, "No space left on device")
    assert (caught.value.errno, caught.value.filename) == (28, str(path))
    with pytest.raises(FileNotFoundError) as missing, files.replacing(path) as temporary:
        temporary.unlink()
    assert missing.value.filename == str(path)
    path.mkdir()
    with pytest.raises(IsADirectoryError) as folder:
        files.write_text(path, "")
    assert folder.value.filename == str(path)
    assert list(tmp_path.iterdir()) == [path]


def test_errors_of_other_files_keep_their_name(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, files.replacing(tmp_path / "x"):
        (tmp_path / "other").read_bytes()
    assert caught.value.filename == str(tmp_path / "other")


def test_text_that_is_not_utf8(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes("ONE\nCAFÉ\n".encode("latin-1"))
    with pytest.raises(UserError, match="x.txt: line 2 is not UTF-8"):
        files.read_text(path)
    path.write_bytes(b"\xef\xbb\xbfONE")
    assert files.read_text(path) == "ONE"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not valid JSON"),
        (b'{"a": 1', "not valid JSON"),
        (b'{"a": 1, "a": 2}', "the key 'a' is given twice"),
        (b'{"a": {"b": 1, "b": 1}}', "the key 'b' is given twice"),
        (b"[" * 100_000, "nested too deeply"),
        (b"9" * 5000, "Exceeds the limit"),
        ("{}".encode("utf-16"), "line 1 is not UTF-8"),
        (b'{"a": "\xff"}', "line 1 is not UTF-8"),
    ],
)
def test_json_that_is_none(tmp_path, content, said):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"^{path}: .*{said}") as caught:
        files.read_json(path)
    assert "\n" not in str(caught.value)


def test_json_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert files.read_json(path) == {"a": 1}


def test_a_folder_a_device_and_a_file_of_a_terabyte(tmp_path):
    with pytest.raises(UserError, match=f"^{tmp_path}: a folder: expected a file"):
        files.read_json(tmp_path)
    with pytest.raises(UserError, match="^/dev/zero: more than 1,000 bytes"):
        files.read_json("/dev/zero", 1000)
    path = tmp_path / "x.json"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # of no block on the disk
    with pytest.raises(UserError, match="x.json: more than 67,108,864 bytes"):
        files.read_json(path)
