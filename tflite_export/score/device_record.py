"""Make the record that devices are compared with, on the reference machine."""

from pathlib import Path

import numpy as np

from asr_qat.arrays import Array
from asr_qat.corpora.recordings import read_each, recordings
from asr_qat.errors import require
from asr_qat.progress import progress
from tflite_export.runtime.model_file import ModelFile
from tflite_export.score.device.check import logit_differences, machine, measure_signatures
from tflite_export.score.device.recognised import DeviceRecogniser, Recognised, flatbuffer_of
from tflite_export.score.device.record import FORMAT, About, Record
from tflite_export.score.device.report import Floor

UTTERANCES = 10
MOVEMENTS = 8  # of the features
MOVEMENT = 1e-7  # of each, relative, up or down: about one unit in the last place


def make_record(
    path: str | Path,
    data: str | Path,
    split: str = "test",
    utterances: int = UTTERANCES,
    quiet: bool = False,
) -> Record:
    """Recognise a few utterances, as they are and with features that move by `MOVEMENT`.

    Args:
        path: the `.tflite`.
        data: prepared folder, or a manifest.
        split: of a prepared folder.
        utterances: at most so many, from the shortest to the longest of the first few.
        quiet: no progress.

    Raises:
        UserError: damaged input, or no utterance that can be read.
    """
    require(utterances >= 1, f"utterances: {utterances} is less than 1")
    device = DeviceRecogniser(path)
    file = ModelFile.read(path)
    ids, features = _chosen(device, data, split, utterances)
    shown = progress(features, "record", len(features), quiet=quiet)
    runs = [_run_and_moved(device, each) for each in shown]
    found = [run[0] for run in runs]
    logits = [each.logits for each in found if each.logits is not None]
    about = About(
        format=FORMAT,
        checksum=file.checksum.hex(),
        machine=machine(measure_signatures(device, flatbuffer_of(path), rounds=1)),
        floor=_floor(runs),
        ids=tuple(ids),
        texts=tuple(each.text for each in found),
    )
    return Record(about, features, logits)


def _chosen(
    device: DeviceRecogniser, data: str | Path, split: str, count: int
) -> tuple[list[str], list[Array]]:
    """Names and features of utterances that are spread over the split, all of other lengths."""
    items = recordings(data, split)
    items = [items[i] for i in np.unique(np.linspace(0, len(items) - 1, count).astype(int))]
    rate = device.metadata.front_end.sample_rate
    ids, features = [], []
    for item, audio in read_each(items, rate, []):
        found = device.features(audio)
        if len(found):
            ids.append(item.id)
            features.append(found.astype(np.float16))  # half the bytes; the same everywhere
    require(bool(features), f"{data}: no utterance is as long as one window of the front end")
    return ids, features


def _run_and_moved(device: DeviceRecogniser, features: Array) -> list[Recognised]:
    """What is found in the features as they are, and after each movement."""
    plain = features.astype(np.float32)
    found = [device.recognised(plain)]
    for seed in range(MOVEMENTS):
        signs = np.random.default_rng(seed).choice(np.float32([-1, 1]), plain.shape)
        found.append(device.recognised(plain * (1 + np.float32(MOVEMENT) * signs)))
    return found


def _floor(runs: list[list[Recognised]]) -> Floor:
    """Of the utterances, each as it is and then after each movement."""
    plain, *moved = (list(each) for each in zip(*runs, strict=True))
    expected = [each.logits for each in plain if each.logits is not None]
    changed = [sum(a.text != b.text for a, b in zip(plain, other, strict=True)) for other in moved]
    differences = [logit_differences(expected, other) for other in moved]
    known = [each for each in differences if each is not None]
    return Floor(
        movements=MOVEMENTS,
        changed=max(changed),
        changed_mean=sum(changed) / len(moved),
        mean_logits=max((float(each.mean()) for each in known), default=0.0),
        max_logits=max((float(each.max()) for each in known), default=0.0),
    )
