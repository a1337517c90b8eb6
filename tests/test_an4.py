"""AN4 from a small copy of its layout, and the real one where it is in reach."""

import shutil
import tarfile

import pytest

from asr_qat.corpora.locate import locate
from asr_qat.corpora.readers import an4
from asr_qat.corpora.utterance import SPLITS
from asr_qat.errors import UserError
from tests.corpus_fixtures import ids, speakers, tone

pytest_plugins = ["tests.corpus_fixtures"]
pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def small_an4(tmp_path):
    folder = tmp_path / "an4"
    (folder / "etc").mkdir(parents=True)
    lists = {"train": range(24), "test": range(30, 33)}
    for split, numbers in lists.items():
        part = {"train": "an4_clstk", "test": "an4test_clstk"}[split]
        names = [f"an{i}-s{i:02d}-b" for i in numbers]
        file_ids = [f"{part}/{name.split('-')[1]}/{name}" for name in names]
        mark = ("<s> ", " </s>") if split == "train" else ("", "")
        lines = [f"{mark[0]}YES SIX{mark[1]} ({name})" for name in names]
        suffix = ".full130" if split == "test" else ""
        (folder / f"etc/an4_{split}.fileids{suffix}").write_text("\n".join(file_ids) + "\n")
        (folder / f"etc/an4_{split}.transcription{suffix}").write_text("\n".join(lines) + "\n")
        for file_id in file_ids:
            tone(folder / "wav" / f"{file_id}.sph")
    return folder


def test_an4(small_an4):
    corpus = an4.read(small_an4)
    assert speakers(corpus.splits["dev"]) == {"s11", "s23"}
    assert len(corpus.splits["train"]) == 22
    assert ids(corpus.splits["test"]) == ["an30-s30-b", "an31-s31-b", "an32-s32-b"]
    for split in SPLITS:
        for utterance in corpus.splits[split]:
            assert utterance.text == "YES SIX"
            assert utterance.audio_path.is_file()


def test_an4_from_its_archive(small_an4, tmp_path):
    archive = tmp_path / "an4_sphere.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(small_an4, "an4")
    shutil.rmtree(small_an4)
    first, second = an4.read(archive), an4.read(archive)
    assert first == second
    assert first.splits["test"][0].audio_path.is_file()


def test_an4_damage(small_an4, tmp_path):
    archive = tmp_path / "an4_sphere.tar.gz"
    archive.write_bytes(b"\x1f\x8b nonsense")
    with pytest.raises(UserError, match="an4_sphere.tar.gz: damaged archive"):
        an4.read(archive)
    (small_an4 / "etc/an4_train.transcription").write_text("YES\n")
    with pytest.raises(UserError, match="an4_train.transcription: line 1"):
        an4.read(small_an4)
    (small_an4 / "etc/an4_train.transcription").unlink()
    with pytest.raises(UserError, match="an4_train.transcription: missing"):
        an4.read(small_an4)


def test_real_an4(monkeypatch):
    monkeypatch.delenv("ASR_QAT_CACHE")  # unpacked once, not for every run
    monkeypatch.setattr("asr_qat.corpora.locate.AN4_URLS", ("http://127.0.0.1:9/",))
    try:
        path = locate("an4", quiet=True)
    except UserError as error:
        pytest.skip(f"AN4 is not here: {error}")
    splits = an4.read(path).splits
    assert {split: len(splits[split]) for split in SPLITS} == {"train": 869, "dev": 79, "test": 130}
    assert [len(speakers(splits[split])) for split in SPLITS] == [68, 6, 10]
    everyone = [speakers(splits[split]) for split in SPLITS]
    assert len(set.union(*everyone)) == 84
    everything = sum(splits.values(), [])
    assert len(set(ids(everything))) == 1078
    assert all(utterance.text and utterance.audio_path.is_file() for utterance in everything)
    assert not any("<" in utterance.text for utterance in everything)
