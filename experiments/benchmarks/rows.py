"""What the benchmarks find."""

import dataclasses

from asr_qat.provenance import Provenance

# A training step.


@dataclasses.dataclass(frozen=True, kw_only=True)
class StepCost:
    """A training step of one variant.

    Attributes:
        name: of the variant.
        step_ms: median of the rounds, ms.
        costs: of each round, the time in that of the float step.
        cost: median of these.
        cost_min: least of these.
        cost_max: largest of these.
        audio_seconds_per_second: seconds of audio that are trained on in a second.
    """

    name: str
    step_ms: float
    costs: tuple[float, ...]
    cost: float
    cost_min: float
    cost_max: float
    audio_seconds_per_second: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class KernelTime:
    """Processor time of one kind of kernel in a step.

    Attributes:
        kernel: TensorFlow's name of the operation.
        ms: of a step.
        share: of all kernels.
    """

    kernel: str
    ms: float
    share: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class StepFigures:
    """Training steps of a float model and of its quantized variants.

    Attributes:
        preset: of the encoder.
        precision: of the quantized variants.
        parameters: of the float model.
        batch: utterances.
        utterance_seconds: of audio in each.
        rounds: timed steps of each variant.
        rows: one for each variant, float first.
        profile: the kernels that take most of the native step, the largest first.
    """

    preset: str
    precision: str
    parameters: int
    batch: int
    utterance_seconds: float
    rounds: int
    rows: tuple[StepCost, ...]
    profile: tuple[KernelTime, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class StepResults(StepFigures, Provenance):
    """What `asr-qat benchmark` writes."""


# The transducer loss.


@dataclasses.dataclass(frozen=True, kw_only=True)
class GradientDifferences:
    """Of an implementation to another one.

    Attributes:
        max_loss_diff: largest difference of a loss, relative.
        max_grad_diff: largest difference of a gradient, as a share of its largest entry.
    """

    max_loss_diff: float
    max_grad_diff: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class LossRow(GradientDifferences):
    """Loss and gradient by one implementation at one shape.

    Attributes:
        implementation: its name.
        batch: utterances.
        time: encoded frames of each.
        labels: of each.
        classes: of the logits.
        rounds: timed steps.
        median_ms: of a step.
        speed: times as fast as the naive one; with a joint network, as the unfused one.
        peak_mb: peak memory with the inputs, MB (2^20).
    """

    implementation: str
    batch: int
    time: int
    labels: int
    classes: int
    rounds: int
    median_ms: float
    speed: float
    peak_mb: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class LossFigures:
    """Implementations of the transducer loss side by side.

    Attributes:
        threads: CPU threads.
        brute_force_max_error: largest difference to a sum over all alignments, nats.
        finite_difference_max_error: largest difference of a gradient's entry to one by
            differences of such sums.
        rows: gradients are those of the logits; differences are to `ours`.
        joint_rows: gradients are those of a joint network's inputs and weights; differences are
            to the unfused one.
    """

    threads: int
    brute_force_max_error: float
    finite_difference_max_error: float
    rows: tuple[LossRow, ...]
    joint_rows: tuple[LossRow, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LossResults(LossFigures, Provenance):
    """What `asr-qat benchmark-loss` writes."""


# The input.


@dataclasses.dataclass(frozen=True, kw_only=True)
class InputSpeed:
    """How fast a source gives audio.

    Attributes:
        audio_hours: that came.
        wall_seconds: that this took.
        cpu_seconds: processor time that was spent, whatever else the machine was doing.
        audio_hours_per_second: by the clock.
        audio_hours_per_core_second: by processor time.
    """

    audio_hours: float
    wall_seconds: float
    cpu_seconds: float
    audio_hours_per_second: float
    audio_hours_per_core_second: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class InputRow(InputSpeed):
    """One source.

    Attributes:
        name: what it is.
    """

    name: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class InputFigures:
    """The training pipeline, its stages, and audio files as they lie.

    Attributes:
        threads: of the pipeline.
        seconds_each: that each row was measured for.
        rows: one for each source.
    """

    threads: int
    seconds_each: float
    rows: tuple[InputRow, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class InputResults(InputFigures, Provenance):
    """What `asr-qat benchmark-input` writes.

    Attributes:
        corpus: in words.
    """

    corpus: str
