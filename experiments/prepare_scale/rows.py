"""What `results/prepare_scale.json` holds."""

import dataclasses

from asr_qat.provenance import Provenance
from experiments.prepare_scale.layouts import LayoutRow, layout_target
from experiments.targets import Row, at_least, equal

LEAST_SPEED_UP = 1.8  # of two workers
LOSS_DIFFERENCE = 1e-6  # relative: of the same training


@dataclasses.dataclass(frozen=True, kw_only=True)
class PrepareRow:
    """One run of `asr-qat prepare`.

    Attributes:
        executor: `processes` or `ray`.
        workers: of it.
        seconds: from the command's start to its end.
        speed_up: to one worker of the same executor.
        identical: whether every file is that of the first run, byte by byte.
    """

    executor: str
    workers: int
    seconds: float
    speed_up: float
    identical: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stages:
    """What a preparation consists of.

    Attributes:
        core_seconds: of the processor, all of the command with one worker.
        read_seconds: to read the manifest, which each machine does.
        merge_seconds: to plan the shards, which each machine does too, and to finish the folder.
        vocabulary_seconds: to train the word pieces on all texts, once.
    """

    core_seconds: float
    read_seconds: float
    merge_seconds: float
    vocabulary_seconds: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoreRow:
    """The same preparation and training in one place.

    Attributes:
        place: `disk` or `s3`.
        prepare_seconds: of the command `prepare`.
        train_seconds: of the command `train`.
        loss: mean over its steps.
    """

    place: str
    prepare_seconds: float
    train_seconds: float
    loss: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class PrepareScaleResults(Provenance):
    """The measurements of one corpus.

    Attributes:
        corpus: its description.
        audio_hours: that were prepared.
        utterances: of it.
        shards: of the training split.
        folder_bytes: of the prepared folder.
        rows: by executor and number of workers.
        stages: of the run with one worker.
        steps: of the trainings.
        store: on disk and in an object store of this machine.
        layouts: instances of other layouts that were prepared.
        targets: what was promised.
    """

    corpus: str
    audio_hours: float
    utterances: int
    shards: int
    folder_bytes: int
    rows: tuple[PrepareRow, ...]
    stages: Stages
    steps: int
    store: tuple[StoreRow, ...]
    layouts: tuple[LayoutRow, ...]
    targets: tuple[Row, ...] = ()

    @property
    def hours_per_core_second(self) -> float:
        """Hours of audio that one core prepares in a second."""
        return self.audio_hours / self.stages.core_seconds

    def with_targets(self) -> "PrepareScaleResults":
        """The same with what was promised of it."""
        targets = [
            at_least(f"{row.executor}: speed-up of two workers", row.speed_up, LEAST_SPEED_UP)
            for row in self.rows
            if row.workers == 2
        ]
        same = all(row.identical for row in self.rows)
        targets.append(equal("identical folders of all runs", same, True))
        if self.store:
            disk, *others = self.store
            same = all(abs(o.loss - disk.loss) <= LOSS_DIFFERENCE * disk.loss for o in others)
            targets.append(equal("losses over s3:// as from disk", same, True))
        targets.append(layout_target(list(self.layouts)))
        return dataclasses.replace(self, targets=tuple(targets))
