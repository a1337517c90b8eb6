"""Datasets of Hugging Face: Arrow and Parquet."""

import json
import pickle
import shutil

import pytest

from asr_qat.audio.inside import address, audio_source
from asr_qat.corpora.readers import hugging_face
from asr_qat.errors import UserError
from tests.corpus_fixtures import ids, tone
from tests.layout_fixtures import FOLDER, check

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


@pytest.mark.parametrize("layout", ["hf_saved", "hf_parquet"])
def test_datasets(layout):
    corpus = hugging_face.read(FOLDER / layout)
    check(corpus)
    assert ids(corpus.splits["train"]) == ["ann-1", "ann-2", "bob-1", "bob-2"]
    check(pickle.loads(pickle.dumps(corpus)))


def test_one_split():
    assert hugging_face.read(FOLDER / "hf_saved/validation").splits.keys() == {"dev"}
    (file,) = FOLDER.glob("hf_parquet/data/test*")
    assert hugging_face.read(file).splits.keys() == {"test"}


@pytest.mark.parametrize("layout", ["hf_saved", "hf_parquet", "nemo_tarred/.."])
def test_addresses_are_read_again(layout, tmp_path):
    if layout.endswith(".."):
        from asr_qat.corpora.readers import nemo

        corpus = nemo.read(FOLDER / "nemo_tarred")
    else:
        corpus = hugging_face.read(FOLDER / layout)
    for items in corpus.splits.values():
        for item in items:
            again = audio_source(tmp_path, address(item.audio_path))
            assert again == item.audio_path
            assert str(again) == address(item.audio_path)


@pytest.fixture
def train():
    return pa.ipc.open_stream(
        pa.memory_map(str(FOLDER / "hf_saved/train/data-00000-of-00001.arrow"))
    ).read_all()


def save(table, folder, **options):
    folder.mkdir()
    with pa.ipc.new_stream(folder / "data.arrow", table.schema, **options) as writer:
        writer.write_table(table, max_chunksize=3)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data.arrow"}]}))
    return folder


def samples(corpus):
    return {item.id: len(item.read(16000)) for items in corpus.splits.values() for item in items}


LENGTHS = {"ann-1": 12800, "ann-2": 16000, "bob-1": 14400, "bob-2": 11200}


def test_several_batches_and_slices(train, tmp_path):
    corpus = hugging_face.read(save(train, tmp_path / "train"))
    assert samples(corpus) == LENGTHS


def test_compressed_arrow_is_refused(train, tmp_path):
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    folder = save(train, tmp_path / "train", options=options)
    with pytest.raises(UserError, match="data.arrow: compressed Arrow: save it again"):
        hugging_face.read(folder)


def test_recordings_beside_the_table(train, tmp_path):
    """`path` alone, as where `datasets` did not embed the files."""
    for name, length in LENGTHS.items():
        tone(tmp_path / f"train/clips/{name}.wav", length / 16000)
    audio = [{"bytes": None, "path": f"clips/{name}.wav"} for name in LENGTHS]
    table = train.drop_columns(["audio"]).append_column("audio", pa.array(audio))
    table = table.replace_schema_metadata(None)
    pq.write_table(table, tmp_path / "train/data.parquet")
    assert samples(hugging_face.read(tmp_path)) == LENGTHS
    shutil.move(tmp_path / "train/clips", tmp_path / "clips")
    corpus = hugging_face.read(tmp_path)
    with pytest.raises(UserError, match="data.parquet#audio@0: .*ann-1.wav is missing"):
        samples(corpus)
    assert samples(hugging_face.read(save(table, tmp_path / "saved"))) == LENGTHS


def test_ids_that_are_not_unique(train, tmp_path):
    """Of sentences, as in FLEURS; or recordings without a name in files of equal names."""
    number = pa.array([7, 7, 8, 9])
    table = train.set_column(train.schema.get_field_index("id"), "id", number)
    (tmp_path / "data").mkdir()
    for split in ("train", "test"):
        pq.write_table(table, tmp_path / f"data/{split}-00000-of-00001.parquet")
    splits = hugging_face.read(tmp_path).splits
    assert [item.id for item in splits["test"]] == ["test-0-7", "test-1-7", "test-2-8", "test-3-9"]
    for split in ("train", "test"):
        save(train.drop_columns(["id"]), tmp_path / split)
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    splits = hugging_face.read(tmp_path).splits
    assert len(splits["test"]) == 4
    assert len({item.id for items in splits.values() for item in items}) == 8


def test_columns_that_are_not_there(train, tmp_path):
    pq.write_table(train.drop_columns(["audio"]), tmp_path / "a.parquet")
    with pytest.raises(UserError, match="a.parquet: no column of kind Audio, but id, transcr"):
        hugging_face.read(tmp_path / "a.parquet")
    renamed = train.rename_columns(["id", "audio", "words", "speaker_id"])
    pq.write_table(renamed, tmp_path / "a.parquet")
    with pytest.raises(UserError, match="no transcripts among id, speaker_id: name their column"):
        hugging_face.read(tmp_path)


def test_damaged_files(tmp_path):
    folder = shutil.copytree(FOLDER / "hf_saved", tmp_path / "saved")
    (arrow,) = (folder / "test").glob("*.arrow")
    arrow.write_bytes(arrow.read_bytes()[:700])
    with pytest.raises(UserError, match="arrow: damaged"):
        hugging_face.read(folder)
    arrow.unlink()
    with pytest.raises(UserError, match="arrow: missing"):
        hugging_face.read(folder)
    (tmp_path / "a.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(UserError, match="a.parquet: damaged"):
        hugging_face.read(tmp_path / "a.parquet")
