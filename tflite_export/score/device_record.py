"""Make the record that devices are compared with, on the reference machine."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from asr_qat.arrays import Array
from asr_qat.corpora.recordings import read_each
from asr_qat.corpora.utterance import Utterance
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


def make_record(path: str | Path, items: Sequence[Utterance], quiet: bool = False) -> Record:
    """Recognise utterances, as they are and with features that move by `MOVEMENT`.

    Args:
        path: the `.tflite`.
        items: what is said.
        quiet: no progress.

    Raises:
        UserError: damaged input, or no utterance that can be read.
    """
    device = DeviceRecogniser(path)
    file = ModelFile.read(path)
    ids, features = _features(device, items)
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


def spread(items: Sequence[Utterance], count: int) -> list[Utterance]:
    """At most `count` utterances, at even distances from the first to the last."""
    places = np.unique(np.linspace(0, len(items) - 1, count).astype(int))
    return [items[place] for place in places]


def _features(
    device: DeviceRecogniser, items: Sequence[Utterance]
) -> tuple[list[str], list[Array]]:
    """Names and features of the utterances that can be read."""
    rate = device.metadata.front_end.sample_rate
    ids, features = [], []
    for item, audio in read_each(list(items), rate, []):
        found = device.features(audio)
        if len(found):
            ids.append(item.id)
            features.append(found.astype(np.float16))  # half the bytes; the same everywhere
    require(bool(features), "no utterance is as long as one window of the front end: give others")
    return ids, features


def _run_and_moved(device: DeviceRecogniser, features: Array) -> list[Recognised]:
    """What is found in the features as they are, and after each movement."""
    plain = features.astype(np.float32)
    found = [device.recognised(plain)]
    for seed in range(MOVEMENTS):
        signs = np.random.default_rng(seed).choice(np.array([-1, 1], np.float32), plain.shape)
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
        changes=tuple(changed),
        mean_logits=max((float(each.mean()) for each in known), default=0.0),
        max_logits=max((float(each.max()) for each in known), default=0.0),
    )
