"""Lhotse's cuts, recordings with supervisions, and Shar."""

import gzip
import json
import shutil

import pytest

from asr_qat.corpora.readers import lhotse
from asr_qat.errors import UserError
from tests.corpus_fixtures import ids
from tests.layout_fixtures import FOLDER, check


@pytest.mark.parametrize("layout", ["lhotse_cuts", "lhotse_manifests", "lhotse_shar"])
def test_manifests(layout):
    corpus = lhotse.read(FOLDER / layout)
    check(corpus)
    assert ids(corpus.splits["train"]) == ["ann-1", "ann-2", "bob-1", "bob-2"]


def test_one_file_of_cuts():
    splits = lhotse.read(FOLDER / "lhotse_cuts/cuts_test.jsonl.gz").splits
    assert {split: ids(items) for split, items in splits.items()} == {"test": ["dan-1"]}


@pytest.fixture
def cuts(tmp_path):
    return shutil.copytree(FOLDER / "lhotse_cuts", tmp_path / "cuts") / "cuts_train.jsonl.gz"


def rewrite(path, change):
    """Apply `change` to the first cut."""
    first, *others = gzip.open(path, "rt", encoding="utf-8").read().splitlines()
    cut = json.loads(first)
    cut = change(cut) or cut
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("\n".join([json.dumps(cut), *others]))


def recording(**changes):
    return lambda cut: cut["recording"].update(changes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda cut: {**cut, "type": "MixedCut"}, "a MixedCut: save its audio with"),
        (recording(transforms=[{"name": "Speed", "kwargs": {}}]), "changed by Speed: give what"),
        (recording(channel_ids=[0, 1]), "channel 0 of 2: split them"),
        (recording(sources=[{"type": "url", "source": "http://x/a.wav"}]), "audio of kind 'url'"),
        (recording(sources=[{"type": "command", "source": "sox a -t wav - speed 2"}]), "a pipe"),
        (
            lambda cut: cut["supervisions"][0].update(duration=3),
            "supervision 'ann-1' reaches beyond its cut",
        ),
        (lambda cut: cut.update(duration="long"), "duration is 'long', expected seconds"),
        (lambda cut: cut.pop("recording") and None, "a cut without its recording"),
    ],
)
def test_what_is_not_a_plain_cut(cuts, change, message):
    rewrite(cuts, change)
    with pytest.raises(UserError, match=f"cuts_train.jsonl.gz: line 1: {message}"):
        lhotse.read(cuts.parent)


def test_resampling_is_harmless(cuts):
    rewrite(cuts, recording(transforms=[{"name": "Resample", "kwargs": {}}]))
    check(lhotse.read(cuts.parent))


def test_all_bad_lines_are_named_at_once(cuts):
    with gzip.open(cuts, "at") as file:
        file.write('\n{"id": \n[]\n{"type": "PaddingCut"}\n\n{"type": "PaddingCut"}\n')
    with pytest.raises(UserError) as caught:
        lhotse.read(cuts)
    first, second, third = str(caught.value).split("; ")
    assert "line 5: not valid JSON" in first
    assert second == "line 6: expected a JSON object, not '[]'"
    assert third.startswith("lines 7, 9: a PaddingCut: save its audio with")


def test_a_part_of_a_cut_and_a_cut_without_supervision(cuts):
    rewrite(cuts, lambda cut: cut.update(start=0.1, duration=0.7, supervisions=[]))
    (item,) = [u for u in lhotse.read(cuts.parent).splits["train"] if u.id == "ann-0"]
    assert item.text == "" and item.offset == 0.1
    assert len(item.read(16000)) == 11200


def test_a_damaged_archive(cuts):
    cuts.write_bytes(cuts.read_bytes()[:-20])
    with pytest.raises(UserError, match="cuts_train.jsonl.gz: damaged .*: copy it again"):
        lhotse.read(cuts)


def test_supervisions_without_their_recording(tmp_path):
    folder = shutil.copytree(FOLDER / "lhotse_manifests", tmp_path / "own")
    (folder / "own_recordings_dev.jsonl.gz").unlink()
    with pytest.raises(UserError, match="line 1: recording 'cat-1' is in no manifest"):
        lhotse.read(folder)


def test_shar_without_audio(tmp_path):
    folder = shutil.copytree(FOLDER / "lhotse_shar", tmp_path / "shar")
    shutil.copy(folder / "dev/recording.000000.tar", folder / "test/recording.000000.tar")
    with pytest.raises(UserError, match="line 1: no audio of 'dan-1' in recording.000000.tar"):
        lhotse.read(folder)


def test_nothing_of_lhotse(tmp_path):
    with pytest.raises(UserError, match="nothing that --corpus lhotse reads: omit it"):
        lhotse.read(tmp_path)
