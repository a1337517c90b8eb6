"""Write `tests/data/corpora`: the same six utterances in each layout, by the layout's own library.

Run it in an environment of theirs: nemo_toolkit[asr] 3.0.0 (with lhotse 1.33.0, datasets 5.2.0)
and kaldiio 2.18.1.

utterances.json         split, speaker and text of each, `samples` and `step` of its tone (see
                        `samples` below), and the versions of the libraries
nemo, nemo_tarred       `write_manifest`; the tar files are laid out as by
                        `convert_to_tarred_audio_dataset.py --no_slice_with_offset`, which is in
                        no package, and read back by NeMo's `LazyNeMoTarredIterator`
kaldi                   train: lhotse's `export_to_kaldi`; dev, test: archives of kaldiio
lhotse_cuts             `CutSet.to_file`
lhotse_manifests        `RecordingSet.to_file` and `SupervisionSet.to_file`
lhotse_shar             `CutSet.to_shar`
hf_saved, hf_parquet    `DatasetDict.save_to_disk`, `Dataset.to_parquet`
audio_folder            `metadata.csv` of pandas, read back by the builder of `datasets`
common_voice            TSV without quoting, clips as MP3 of 32 kHz
"""

import contextlib
import csv
import importlib.metadata
import json
import os
import shutil
import tarfile
from pathlib import Path

import datasets
import kaldiio
import numpy as np
import pandas
import soundfile
from lhotse import CutSet, Recording, RecordingSet, SupervisionSegment, SupervisionSet
from lhotse.kaldi import export_to_kaldi
from nemo.collections.asr.parts.utils.manifest_utils import write_manifest
from nemo.collections.common.data.lhotse.nemo_adapters import LazyNeMoTarredIterator

ROOT = Path(__file__).parent / "data/corpora"
RATE = 16000
LIBRARIES = ("nemo_toolkit", "lhotse", "datasets", "pyarrow", "kaldiio", "pandas", "soundfile")
SPLITS = ("train", "dev", "test")
HF_SPLITS = {"train": "train", "dev": "validation", "test": "test"}

# name: split, speaker, samples, step of the tone, text
UTTERANCES = {
    "ann-1": ("train", "ann", 12800, 31, "ONE TWO"),
    "ann-2": ("train", "ann", 16000, 37, 'SAY "THREE"'),
    "bob-1": ("train", "bob", 14400, 43, "प्राचीन भाषा में"),
    "bob-2": ("train", "bob", 11200, 29, "FOUR FIVE SIX"),
    "cat-1": ("dev", "cat", 12800, 53, "TWO ONE"),
    "dan-1": ("test", "dan", 14400, 61, "FIVE SIX"),
}


def samples(name: str) -> np.ndarray:
    """A tone: int16 `[samples]`, the same on every machine."""
    _, _, length, step, _ = UTTERANCES[name]
    phase = np.arange(length) * step % 16000
    return (np.abs(phase - 8000) - 4000).astype(np.int16)


def names(split: str) -> list[str]:
    """The utterances of `split`."""
    return [name for name, facts in UTTERANCES.items() if facts[0] == split]


def text(name: str) -> str:
    """The words of an utterance."""
    return UTTERANCES[name][4]


def write_recordings(folder: Path) -> None:
    """FLAC files; ann's two utterances are one recording."""
    folder.mkdir(parents=True)
    soundfile.write(folder / "ann.flac", np.concatenate([samples("ann-1"), samples("ann-2")]), RATE)
    for name in list(UTTERANCES)[2:]:
        soundfile.write(folder / f"{name}.flac", samples(name), RATE)


def place(name: str) -> tuple[str, float, float]:
    """File, offset and duration in seconds of an utterance in `write_recordings`."""
    seconds = len(samples(name)) / RATE
    if name.startswith("ann"):
        return "ann.flac", len(samples("ann-1")) / RATE * (name == "ann-2"), seconds
    return f"{name}.flac", 0.0, seconds


def nemo_entry(name: str) -> dict:
    """A line of a NeMo manifest."""
    file, offset, duration = place(name)
    entry = {"audio_filepath": f"audio/{file}", "duration": duration, "text": text(name)}
    if file == "ann.flac":
        entry["offset"] = offset
    return entry | {"lang": "en", "speaker": UTTERANCES[name][1]}


def make_nemo(folder: Path) -> None:
    """Manifests."""
    write_recordings(folder / "audio")
    for split in SPLITS:
        entries = [nemo_entry(name) for name in names(split)]
        write_manifest(folder / f"{split}_manifest.json", entries, ensure_ascii=False)


def make_nemo_tarred(folder: Path) -> None:
    """Tar files: flat names, each file once, further parts of it as `-sub1` and so on."""
    write_recordings(folder / "source/audio")
    for split in SPLITS:
        target = folder / split
        (target / "sharded_manifests").mkdir(parents=True)
        shards = np.array_split(names(split), 2 if split == "train" else 1)
        everything = []
        for index, shard in enumerate(shards):
            entries, count = [], {}
            with tarfile.open(target / f"audio_{index}.tar", "w") as tar:
                for name in shard:
                    entry = nemo_entry(name)
                    flat = entry["audio_filepath"].replace("/", "_")
                    number = count[flat] = count.get(flat, -1) + 1
                    if number == 0:
                        tar.add(folder / "source" / entry["audio_filepath"], arcname=flat)
                    else:
                        flat = flat.replace(".flac", f"-sub{number}.flac")
                    entries.append({**entry, "audio_filepath": flat, "shard_id": index})
            path = target / f"sharded_manifests/manifest_{index}.json"
            write_manifest(path, entries, ensure_ascii=False)
            everything += entries
        write_manifest(target / "tarred_audio_manifest.json", everything, ensure_ascii=False)
        last = len(shards) - 1
        tars = target / (f"audio__OP_0..{last}_CL_.tar" if last else "audio_0.tar")
        cuts = list(LazyNeMoTarredIterator(str(target / "tarred_audio_manifest.json"), str(tars)))
        heard = {cut.supervisions[0].text: cut.load_audio()[0] for cut in cuts}
        for name in names(split):
            np.testing.assert_array_equal(heard[text(name)], samples(name) / np.float32(32768))
    shutil.rmtree(folder / "source")


def lhotse_manifests(audio: Path, split: str) -> tuple[RecordingSet, SupervisionSet]:
    """Recordings, named relative to the folder above `audio`, and their supervisions."""
    files = sorted({place(name)[0] for name in names(split)})
    recordings = [Recording.from_file(audio / file, relative_path_depth=2) for file in files]
    segments = []
    for name in names(split):
        file, offset, duration = place(name)
        speaker = UTTERANCES[name][1]
        recording = file.removesuffix(".flac")
        segments.append(
            SupervisionSegment(
                name, recording, offset, duration, text=text(name), speaker=speaker, language="en"
            )
        )
    return RecordingSet.from_recordings(recordings), SupervisionSet.from_segments(segments)


def make_kaldi(folder: Path) -> None:
    """Data directories; paths are relative to `folder`, where the recipe would run."""
    write_recordings(folder / "audio")
    export_to_kaldi(*lhotse_manifests(folder / "audio", "train"), folder / "train")
    for split, options in (
        ("dev", {}),
        ("test", {"write_function": "soundfile", "write_kwargs": {"format": "flac"}}),
    ):
        (folder / split).mkdir()
        with contextlib.chdir(folder):
            kaldiio.save_ark(
                f"{split}/wav.ark",
                {name: (RATE, samples(name)) for name in names(split)},
                scp=f"{split}/wav.scp",
                **options,
            )
        lines = {"text": text, "utt2spk": lambda name: UTTERANCES[name][1]}
        for file, value in lines.items():
            content = "".join(f"{name} {value(name)}\n" for name in names(split))
            (folder / split / file).write_text(content, encoding="utf-8")


def make_lhotse_cuts(folder: Path) -> None:
    """Cuts: of train one cut has two supervisions, of the others a cut is a supervision."""
    write_recordings(folder / "audio")
    for split in SPLITS:
        recordings, supervisions = lhotse_manifests(folder / "audio", split)
        cuts = CutSet.from_manifests(recordings, supervisions)
        if split != "train":
            cuts = cuts.trim_to_supervisions()
        cuts.to_file(folder / f"cuts_{split}.jsonl.gz")


def make_lhotse_manifests(folder: Path) -> None:
    """Recordings and supervisions, named as lhotse's recipes name them."""
    write_recordings(folder / "audio")
    for split in SPLITS:
        recordings, supervisions = lhotse_manifests(folder / "audio", split)
        recordings.to_file(folder / f"own_recordings_{split}.jsonl.gz")
        supervisions.to_file(folder / f"own_supervisions_{split}.jsonl.gz")


def make_lhotse_shar(folder: Path) -> None:
    """Shar: shards of two cuts."""
    write_recordings(folder / "audio")
    for split in SPLITS:
        (folder / split).mkdir()
        with contextlib.chdir(folder):
            cuts = CutSet.from_manifests(*lhotse_manifests(Path("audio"), split))
            cuts.trim_to_supervisions().to_shar(split, {"recording": "flac"}, shard_size=2)
    shutil.rmtree(folder / "audio")


def hf_dataset(split: str, folder: Path) -> datasets.Dataset:
    """A dataset with an `Audio` column that holds the files."""
    entries = {"id": [], "audio": [], "transcription": [], "speaker_id": []}
    for name in names(split):
        path = folder / f"{name}.flac"
        soundfile.write(path, samples(name), RATE)
        entries["id"].append(name)
        entries["audio"].append({"path": path.name, "bytes": path.read_bytes()})
        entries["transcription"].append(text(name))
        entries["speaker_id"].append(UTTERANCES[name][1])
        path.unlink()
    audio = datasets.Audio(sampling_rate=RATE, decode=False)
    return datasets.Dataset.from_dict(entries).cast_column("audio", audio)


def make_hf_saved(folder: Path) -> None:
    """Arrow."""
    folder.mkdir()
    parts = {HF_SPLITS[split]: hf_dataset(split, folder) for split in SPLITS}
    datasets.DatasetDict(parts).save_to_disk(folder)


def make_hf_parquet(folder: Path) -> None:
    """Parquet, the training split in two files of row groups of one row."""
    (folder / "data").mkdir(parents=True)
    for split in SPLITS:
        dataset, shards = hf_dataset(split, folder), 2 if split == "train" else 1
        for index in range(shards):
            path = f"data/{HF_SPLITS[split]}-{index:05d}-of-{shards:05d}.parquet"
            part = dataset.shard(shards, index, contiguous=True)
            part.to_parquet(folder / path, batch_size=1 if split == "train" else None)


def make_audio_folder(folder: Path) -> None:
    """A folder for each split, with a table of its files."""
    for split in SPLITS:
        place = folder / HF_SPLITS[split]
        place.mkdir(parents=True)
        for name in names(split):
            soundfile.write(place / f"{name}.flac", samples(name), RATE)
        rows = {
            "file_name": [f"{name}.flac" for name in names(split)],
            "transcription": [text(name) for name in names(split)],
            "speaker_id": [UTTERANCES[name][1] for name in names(split)],
        }
        pandas.DataFrame(rows).to_csv(place / "metadata.csv", index=False)
    builder = datasets.load_dataset_builder("audiofolder", data_dir=str(folder))
    found = {
        generator.name: [sample for _, sample in builder._generate_examples(**generator.gen_kwargs)]
        for generator in builder._split_generators(datasets.DownloadManager())
    }
    for split in SPLITS:  # `load_dataset` itself would need torchcodec to encode what is encoded
        heard = {sample["audio"]: sample["transcription"] for sample in found[HF_SPLITS[split]]}
        place = folder.absolute() / HF_SPLITS[split]
        assert heard == {str(place / f"{name}.flac"): text(name) for name in names(split)}


def make_common_voice(folder: Path) -> None:
    """One language of a release."""
    (folder / "clips").mkdir(parents=True)
    tables = {}
    for split in SPLITS:
        rows = []
        for index, name in enumerate(names(split)):
            clip = f"common_voice_en_{split}{index}.mp3"
            soundfile.write(folder / "clips" / clip, np.repeat(samples(name), 2), 2 * RATE)
            client = UTTERANCES[name][1] * 20
            rows.append({"client_id": client, "path": clip, "sentence_id": name})
            rows[-1] |= {"sentence": text(name), "up_votes": 2, "down_votes": 0, "locale": "en"}
        tables[split] = pandas.DataFrame(rows)
    tables["validated"] = pandas.concat(tables.values())
    for name, table in tables.items():
        path = folder / f"{name}.tsv"
        table.to_csv(path, sep="\t", index=False, quoting=csv.QUOTE_NONE, quotechar="\0")


def main() -> None:
    """Write all of them anew."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    shutil.rmtree(ROOT, ignore_errors=True)
    ROOT.mkdir(parents=True)
    for name, make in globals().items():
        if name.startswith("make_"):
            make(ROOT / name.removeprefix("make_"))
    keys = ("split", "speaker", "samples", "step", "text")
    utterances = {name: dict(zip(keys, facts, strict=True)) for name, facts in UTTERANCES.items()}
    libraries = {name: importlib.metadata.version(name) for name in LIBRARIES}
    content = {"libraries": libraries, "utterances": utterances}
    path = ROOT / "utterances.json"
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
