"""What `results/micro.json` holds."""

import dataclasses

from asr_qat.provenance import Provenance
from experiments.targets import Row, at_least, at_most, equal, without_target

MOST_ARENA_MB = 1.4
LEAST_UTTERANCES = 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class KernelRow:
    """A kind of operator that computes something else in TFLM than in LiteRT.

    Attributes:
        operator: its name in the format.
        count: how many the graph has.
        differ: how many of them gave another result of equal inputs in at least one run.
        most_steps: the largest difference, in steps of the result's integers.
    """

    operator: str
    count: int
    differ: int
    most_steps: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class NpuRow:
    """The file, compiled by Vela.

    Attributes:
        accelerator: Ethos-U and its multiply-accumulate units.
        system: clock and memories that Vela assumes, as its `vela.ini` calls them.
        npu_operators: that run on the accelerator.
        cpu_operators: the others, by name.
        weights_kib: of 8-bit weights, before compression.
        encoded_kib: the same after it.
        flash_kib: that the compiled graph needs.
        sram_kib: the same of memory.
        estimated_ms: of one run, by Vela's model of the hardware.
    """

    accelerator: str
    system: str
    npu_operators: int
    cpu_operators: tuple[str, ...]
    weights_kib: float
    encoded_kib: float
    flash_kib: float
    sram_kib: float
    estimated_ms: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class MicroResults(Provenance):
    """A full-integer file where microcontrollers run it.

    Attributes:
        model: directory that it was made from.
        precision: of the weights.
        seconds: of its one signature.
        file_bytes: of it.
        data: name of the recordings.
        utterances: that fit in the signature.
        tflm: version of tflite-micro.
        vela: version of ethos-u-vela.
        arena_bytes: the smallest arena that it runs in.
        same_texts: utterances of which TFLM finds LiteRT's text.
        same_logits: share of the valid frames' logits that are equal.
        most_steps: largest difference of the others, in steps of their integers.
        litert_wer: word error rate of the file in LiteRT, as a share.
        tflm_wer: the same in TFLM.
        kernels: operators that compute something else there.
        npus: the file on accelerators.
        targets: what was promised.
    """

    model: str
    precision: str
    seconds: float
    file_bytes: int
    data: str
    utterances: int
    tflm: str
    vela: str
    arena_bytes: int
    same_texts: int
    same_logits: float
    most_steps: int
    litert_wer: float
    tflm_wer: float
    kernels: tuple[KernelRow, ...]
    npus: tuple[NpuRow, ...]
    targets: tuple[Row, ...] = ()


def targets(found: MicroResults) -> tuple[Row, ...]:
    """What was promised of TFLM and of the accelerators; estimates without a bar."""
    rows = [
        at_most("TFLM: arena, MB", found.arena_bytes / 1e6, MOST_ARENA_MB),
        at_least("TFLM: utterances that fit", found.utterances, LEAST_UTTERANCES),
        equal("TFLM: texts as LiteRT's", found.same_texts, found.utterances),
    ]
    for npu in found.npus:
        name = npu.accelerator
        share = npu.npu_operators / (npu.npu_operators + len(npu.cpu_operators))
        rows += [
            equal(f"{name}: share of operators on the NPU", share, 1.0),
            without_target(f"{name}: flash, KiB (estimated)", npu.flash_kib),
            without_target(f"{name}: SRAM, KiB (estimated)", npu.sram_kib),
            without_target(f"{name}: time, ms (estimated)", npu.estimated_ms),
        ]
    return tuple(rows)
