"""Preparation shared out: over processes, machines and runs that fail, with the same bytes."""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from asr_qat import files, lock
from asr_qat.commands import prepare as command
from asr_qat.corpora.prepare import Part, prepare
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.corpora.readers import manifest
from asr_qat.errors import UserError
from asr_qat.lock import NAME, locked
from asr_qat.parallel.workers import Workers

OPTIONS = {"vocab_size": 40, "model_type": "char", "shards": 3, "quiet": True}


def run(corpus, out, **options):
    prepare(manifest.read(corpus), out, **(OPTIONS | options))
    return out


def content(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def alone(synthetic_corpus, tmp_path_factory):
    return run(synthetic_corpus, tmp_path_factory.mktemp("prepared") / "alone")


@pytest.mark.slow
def test_two_processes_write_the_bytes_of_one(synthetic_corpus, alone, tmp_path):
    two = run(synthetic_corpus, tmp_path / "two", workers=Workers(number=2))
    assert content(two) == content(alone)


@pytest.mark.long
def test_ray_writes_the_bytes_of_one_process(synthetic_corpus, alone, tmp_path):
    """On a cluster of two nodes of this machine."""
    pytest.importorskip("ray", reason="needs the extra ray")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    try:
        workers = Workers("ray", ray_address=cluster.address)
        out = run(synthetic_corpus, tmp_path / "ray", workers=workers)
    finally:
        cluster.shutdown()
    assert content(out) == content(alone)


def test_machines_of_an_array_and_the_merge(synthetic_corpus, alone, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(UserError, match="8 of 9 shards are missing, .* the first: run the parts"):
        run(synthetic_corpus, out, part=Part(3, 9))
        run(synthetic_corpus, out, merge=True)
    for index in (2, 0, 1):
        run(synthetic_corpus, out, part=Part(index, 3))
        with pytest.raises(UserError, match="preparation is incomplete"):
            PreparedFolder(out)
    run(synthetic_corpus, out, merge=True)
    assert content(out) == content(alone)


def test_a_machine_begins_while_another_one_does(synthetic_corpus, alone, tmp_path, monkeypatch):
    """The settings and a shard of the other appear just when this one has looked for settings."""
    out, exists = tmp_path / "out", Path.exists
    shutil.copytree(alone, tmp_path / "other")
    (tmp_path / "other/corpus.json").unlink()

    def late(path, **options):
        found = exists(path, **options)
        if path == out / "settings.json" and not found:
            shutil.copytree(tmp_path / "other", out, dirs_exist_ok=True)
        return found

    monkeypatch.setattr(Path, "exists", late)
    run(synthetic_corpus, out)
    assert content(out) == content(alone)


def test_two_at_once(synthetic_corpus, alone, tmp_path, monkeypatch):
    """Machines of an array share the folder; nobody else writes it meanwhile, or merges."""
    monkeypatch.setattr(lock, "PATIENCE_S", 0.0)
    out = tmp_path / "out"
    with locked(out / NAME):
        for options in ({}, {"part": Part(0, 2)}, {"merge": True}):
            with pytest.raises(UserError, match="out: is being written by `.*process [0-9]+ on"):
                run(synthetic_corpus, out, **options)
    with locked(out / NAME, shared=True):
        run(synthetic_corpus, out, part=Part(0, 2))
        for options in ({}, {"merge": True}):
            with pytest.raises(UserError, match="out: is being written by"):
                run(synthetic_corpus, out, **options)
    with locked(out / f".part-1-of-2{NAME}"), pytest.raises(UserError, match="out/part-1-of-2: is"):
        run(synthetic_corpus, out, part=Part(1, 2))
    (out / f".part-7-of-9{NAME}").touch()  # of a machine that was switched off
    run(synthetic_corpus, out)
    assert content(out) == content(alone)


@pytest.mark.parametrize("word", ["3", "a/3", "1/", "-1/3"])
def test_wrong_parts(word):
    with pytest.raises(argparse.ArgumentTypeError, match="is not I/N, such as 0/8"):
        command.part(word)


def test_a_part_that_there_is_not():
    with pytest.raises(UserError, match="--shard 3/3: expected 0/3 to 2/3"):
        command.part("3/3")


@pytest.fixture
def corpus(synthetic_corpus, tmp_path):
    shutil.copytree(synthetic_corpus, tmp_path / "corpus")
    return tmp_path / "corpus"


def test_a_mended_recording_is_read_again(corpus, tmp_path):
    good = (corpus / "train/03.wav").read_bytes()
    (corpus / "train/03.wav").write_bytes(b"RIFFnonsense")
    out = run(corpus, tmp_path / "out")
    assert PreparedFolder(out).corpus["splits"]["train"]["utterances"] == 11
    before = {path: path.stat().st_mtime_ns for path in out.glob("*.tfrecord")}
    (corpus / "train/03.wav").write_bytes(good)
    run(corpus, out)
    after = {path: path.stat().st_mtime_ns for path in out.glob("*.tfrecord")}
    assert PreparedFolder(out).corpus["splits"]["train"]["utterances"] == 12
    assert sum(after[path] != before[path] for path in before) == 1
    assert content(out) == content(run(corpus, tmp_path / "anew"))


def test_other_recordings_of_the_same_names_are_read(corpus, tmp_path):
    """A folder that was complete: its corpus has moved, say to where noise was taken away."""
    out = run(corpus, tmp_path / "out")
    moved = corpus.rename(tmp_path / "clean")
    for path in moved.rglob("*.wav"):
        audio, rate = soundfile.read(path)
        soundfile.write(path, audio[::-1], rate)
    assert content(run(moved, out)) == content(run(moved, tmp_path / "anew"))


def test_a_failed_preparation_does_not_block_its_own_retry(corpus, tmp_path):
    """With another transcript, other settings, or both."""
    (corpus / "train/03.wav").write_bytes(b"RIFFnonsense")
    out = tmp_path / "out"
    with pytest.raises(UserError, match="1 of 18 utterances cannot be used"):
        run(corpus, out, strict=True)
    (corpus / "train/03.wav").unlink()
    (corpus / "train/04.txt").write_text("FIVE FIVE\n")
    run(corpus, out, strict=True, shards=2, vocab_size=41)
    anew = run(corpus, tmp_path / "anew", shards=2, vocab_size=41)
    assert content(out) == content(anew)


def test_what_was_killed_before_its_settings_were_written_is_taken_up(corpus, tmp_path, alone):
    out = tmp_path / "out"
    out.mkdir()
    shutil.copy(alone / "tokenizer.model", out)
    (out / ".settings.json.1234abcd.tmp").touch()
    run(corpus, out)
    assert content(out).keys() == content(alone).keys()


def test_a_damaged_report_is_named(corpus, tmp_path):
    out = run(corpus, tmp_path / "out")
    files.write_json(out / "reports/dev-00000-of-00003.json", [])
    with pytest.raises(UserError, match="dev-00000-of-00003.json: damaged: remove it"):
        run(corpus, out)


def test_a_preparation_of_several_processes_loads_no_tensorflow_itself():
    code = "import asr_qat.corpora.prepare, sys; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
