"""LibriSpeech from small copies of its parts."""

import tarfile

import pytest

from asr_qat.corpora.readers import librispeech
from asr_qat.corpora.utterance import SPLITS
from asr_qat.errors import UserError
from tests.corpus_fixtures import speakers, tone

pytest_plugins = ["tests.corpus_fixtures"]
pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def small_librispeech(tmp_path):
    def small_librispeech(part, speaker_ids):
        for speaker in speaker_ids:
            chapter = tmp_path / "LibriSpeech" / part / speaker / "7"
            names = [f"{speaker}-7-{i:04d}" for i in range(2)]
            for name in names:
                tone(chapter / f"{name}.flac")
            lines = "".join(f"{name} HELLO THERE\n" for name in names)
            (chapter / f"{speaker}-7.trans.txt").write_text(lines)
        return tmp_path / "LibriSpeech"

    return small_librispeech


def test_librispeech(small_librispeech):
    small_librispeech("train-clean-100", ["1", "2"])
    small_librispeech("train-other-500", ["3"])
    small_librispeech("dev-clean", ["4"])
    folder = small_librispeech("test-other", ["5"])
    (folder / "SPEAKERS.TXT").touch()
    corpus = librispeech.read(folder)
    assert [speakers(corpus.splits[split]) for split in SPLITS] == [{"1", "2", "3"}, {"4"}, {"5"}]
    assert corpus.splits["test"][0].text == "HELLO THERE"
    assert "held out" not in corpus.description


def test_one_part_of_librispeech_is_split_by_speaker(small_librispeech):
    corpus = librispeech.read(small_librispeech("train-clean-5", [f"{i}" for i in range(10, 22)]))
    assert [speakers(corpus.splits[split]) for split in ("dev", "test")] == [{"14"}, {"19"}]
    assert len(corpus.splits["train"]) == 20
    assert "held out of train by whole speakers" in corpus.description


def test_librispeech_archives(small_librispeech, tmp_path):
    folder = small_librispeech("train-clean-5", [f"{i}" for i in range(10, 22)])
    (tmp_path / "archives").mkdir()
    with tarfile.open(tmp_path / "archives/train-clean-5.tar.gz", "w:gz") as tar:
        tar.add(folder, "LibriSpeech")
    corpus = librispeech.read(tmp_path / "archives")
    assert len(corpus.splits["train"]) == 20
    assert corpus.splits["train"][0].audio_path.is_file()


def test_missing_audio_and_missing_words_stay_visible(small_librispeech):
    folder = small_librispeech("train-clean-5", [f"{i}" for i in range(10, 22)])
    chapter = folder / "train-clean-5/10/7"
    (chapter / "10-7-0000.flac").unlink()
    tone(chapter / "10-7-0009.flac")
    train = {u.id: u for u in librispeech.read(folder).splits["train"]}
    assert train["10-7-0000"].audio_path == chapter / "10-7-0000.flac"
    assert train["10-7-0009"].text == ""


def test_a_test_part_alone(small_librispeech):
    splits = librispeech.read(small_librispeech("test-clean", ["4"])).splits
    assert splits.keys() == {"test"}
    assert len(splits["test"]) == 2


def test_parts_without_contents(small_librispeech, tmp_path):
    with pytest.raises(UserError, match="no train-.* part of LibriSpeech in it"):
        librispeech.read(tmp_path)
    (small_librispeech("dev-clean", ["4"]) / "train-clean-5").mkdir()
    with pytest.raises(UserError, match="train-clean-5: no SPEAKER"):
        librispeech.read(small_librispeech("dev-clean", ["4"]))
