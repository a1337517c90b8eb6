"""Archives in the cache folder."""

import tarfile

import pytest

from asr_qat.corpora.unpack import unpacked
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
