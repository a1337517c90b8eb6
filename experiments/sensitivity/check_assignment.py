"""How well the sum of the layers' sensitivities tells what a whole assignment does."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.models.model_directory import Recogniser
from asr_qat.progress import progress
from asr_qat.quantize.precision import FLOAT
from experiments.sensitivity.assignment import Assignment
from experiments.sensitivity.measure_sensitivity import UtteranceLosses, difference, rounded_kernels

INTERVAL = 1.96  # standard errors, for 95%


@dataclasses.dataclass(frozen=True)
class Check:
    """One assignment.

    Attributes:
        name: of it.
        bytes: of the whole model.
        layers: number of them by precision.
        expected: sum of the layers' divergences, in nats per utterance.
        divergence: as measured with all weights rounded together.
        loss: rise of the mean loss of the transcripts, in nats per utterance.
        loss_interval: half of its 95% interval, by a normal distribution over the utterances.
    """

    name: str
    bytes: int
    layers: dict[str, int]
    expected: float
    divergence: float
    loss: float
    loss_interval: float


def check_assignments(
    recogniser: Recogniser,
    folder: PreparedFolder,
    assignments: Mapping[str, Assignment],
    split: str = "dev",
    quiet: bool = False,
) -> list[Check]:
    """Round all weights of a float model as each assignment says, and measure.

    Args:
        recogniser: the float model of the sensitivities; it is as before in the end.
        folder: whose `split` is read.
        assignments: by name.
        split: what to measure on.
        quiet: no progress.
    """
    names = {name for found in assignments.values() for name in found.precisions.values()}
    rounded = {name: rounded_kernels(recogniser, name) for name in names - {FLOAT}}
    losses = UtteranceLosses(recogniser, folder, split)
    before, rows = losses(), []
    for name, found in progress(assignments.items(), "check", len(assignments), "model", quiet):
        kernels = {
            layer: recogniser.model.get_layer(layer).kernel
            for layer, precision in found.precisions.items()
            if precision != FLOAT
        }
        values = {layer: kernel.numpy() for layer, kernel in kernels.items()}
        for layer, kernel in kernels.items():
            kernel.assign(rounded[found.precisions[layer]][layer])
        after = losses()
        for layer, kernel in kernels.items():
            kernel.assign(values[layer])
        loss, divergence, *_ = difference(before, after)
        error = np.std(after[:, 0] - before[:, 0]) / np.sqrt(len(after))
        rows.append(
            Check(
                name,
                found.bytes,
                found.counts,
                found.divergence,
                divergence,
                loss,
                float(INTERVAL * error),
            )
        )
    return rows
