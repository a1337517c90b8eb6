"""NeMo's manifests and tarred sets."""

import json
import pickle
import shutil

import pytest

from asr_qat.corpora.readers import nemo
from asr_qat.errors import UserError
from tests.corpus_fixtures import ids, tone
from tests.layout_fixtures import FOLDER, check


def test_manifests():
    corpus = nemo.read(FOLDER / "nemo")
    check(corpus)
    assert ids(corpus.splits["train"])[:2] == ["audio/ann-0.000", "audio/ann-0.800"]


def test_one_manifest():
    splits = nemo.read(FOLDER / "nemo/dev_manifest.json").splits
    assert {split: len(items) for split, items in splits.items()} == {"dev": 1}


def test_paths_are_relative_to_the_manifest_else_to_the_working_directory(tmp_path, monkeypatch):
    tone(tmp_path / "here/a.wav")
    (tmp_path / "there").mkdir()
    manifest = tmp_path / "there/test.json"
    manifest.write_text(json.dumps({"audio_filepath": "a.wav", "text": "a", "duration": 0.2}))
    monkeypatch.chdir(tmp_path / "here")
    (item,) = nemo.read(manifest).splits["test"]
    assert item.audio_path.samefile(tmp_path / "here/a.wav")
    tone(tmp_path / "there/a.wav")
    (item,) = nemo.read(manifest).splits["test"]
    assert item.audio_path.samefile(tmp_path / "there/a.wav")


def test_tarred_set():
    corpus = nemo.read(FOLDER / "nemo_tarred")
    check(corpus)
    assert ids(corpus.splits["train"])[1] == "audio_0/audio_ann-sub1-0.800"
    check(pickle.loads(pickle.dumps(corpus)))


@pytest.mark.parametrize(
    "name",
    [
        "sharded_manifests/manifest__OP_0..1_CL_.json",
        "sharded_manifests/manifest_{0..1}.json",
        "audio__OP_0..1_CL_.tar",
        "tarred_audio_manifest.json",
    ],
)
def test_parts_of_a_tarred_set_by_name(name):
    corpus = nemo.read(FOLDER / "nemo_tarred/train" / name)
    assert sum(map(len, corpus.splits.values())) == 4


@pytest.fixture
def tarred(tmp_path):
    return shutil.copytree(FOLDER / "nemo_tarred/train", tmp_path / "train")


def test_shards_without_the_whole_manifest(tarred):
    (tarred / "tarred_audio_manifest.json").unlink()
    assert sum(map(len, nemo.read(tarred).splits.values())) == 4


def change(manifest, **changes):
    lines = manifest.read_text(encoding="utf-8").splitlines()
    manifest.write_text("\n".join([json.dumps(json.loads(lines[0]) | changes), *lines[1:]]))


def test_names_after_a_forced_codec(tarred):
    change(tarred / "tarred_audio_manifest.json", audio_filepath="audio_ann.wav")
    assert nemo.read(tarred).splits["train"][0].audio_path.name == "audio_ann.flac"


def test_what_no_tar_file_has(tarred):
    change(tarred / "tarred_audio_manifest.json", audio_filepath="other.flac")
    with pytest.raises(UserError, match="other.flac is not in .*audio_0.tar: make the set again"):
        nemo.read(tarred)
    change(tarred / "tarred_audio_manifest.json", shard_id=7)
    with pytest.raises(UserError, match="shard_id 7, but no such audio_"):
        nemo.read(tarred)


def test_a_damaged_tar_file(tarred):
    whole = (tarred / "audio_1.tar").read_bytes()
    (tarred / "audio_1.tar").write_bytes(b"\x1f\x8b" + whole[2:])
    with pytest.raises(UserError, match="audio_1.tar: compressed: unpack it with gunzip"):
        nemo.read(tarred)
    (tarred / "audio_1.tar").write_bytes(whole[:1500])
    with pytest.raises(UserError, match="audio_1.tar: damaged .*: copy it again"):
        nemo.read(tarred)


def test_a_tar_file_cut_after_it_was_listed(tarred):
    items = nemo.read(tarred).splits.values()
    (bob,) = [item for split in items for item in split if "bob-1" in item.id]
    (tarred / "audio_1.tar").write_bytes((tarred / "audio_1.tar").read_bytes()[:1500])
    with pytest.raises(UserError, match="audio_1.tar: cut short, audio_bob-1.flac is missing"):
        bob.read(16000)


def test_all_bad_lines_are_named_at_once(tarred):
    lines = ["{", "[]", '{"text": "a"}', '{"audio_filepath": "a.wav", "_skipme": true}', "{}"]
    (tarred / "more.json").write_text("\n".join(lines))
    with pytest.raises(UserError) as caught:
        nemo.read(tarred / "more.json")
    said = str(caught.value).split("; ")
    assert said[0].startswith(f"{tarred / 'more.json'}: line 1: not valid JSON")
    assert said[1] == "line 2: expected a JSON object, not '[]'"
    assert said[2].startswith("lines 3, 5: expected {")
    lines = ['{"audio_filepath": "audio_ann.flac", "shard_id": 0, "_skipme": true}']
    manifest = tarred / "tarred_audio_manifest.json"
    manifest.write_text("\n".join([*lines, manifest.read_text(encoding="utf-8")]))
    assert sum(map(len, nemo.read(tarred).splits.values())) == 4
