"""What `asr-qat cost` counts, measures and estimates."""

import dataclasses

from asr_qat.provenance import Provenance

Range = tuple[float, float]  # lowest and highest


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingFlop:
    """Floating-point operations of training on a second of audio, by part of the model.

    Attributes:
        products: of the encoder, with weights.
        convolutions: of the encoder.
        attention: products of activations.
        prediction: network.
        joint: network.
    """

    products: float
    convolutions: float
    attention: float
    prediction: float
    joint: float

    @property
    def total(self) -> float:
        """Of all parts."""
        return sum(vars(self).values())


@dataclasses.dataclass(frozen=True, kw_only=True)
class PresetCount:
    """Operations of a preset.

    Attributes:
        parameters: of the model.
        flop_per_audio_second: in training.
        frames_and_labels: of the utterance that was counted in both ways.
        forward_macs: multiplications of its forward pass.
        profiler_deviation: of TensorFlow's count of the same from it, as a share.
    """

    parameters: int
    flop_per_audio_second: TrainingFlop
    frames_and_labels: tuple[int, int]
    forward_macs: float
    profiler_deviation: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class StageCost:
    """A training run on `GPU_COUNT` accelerators of one kind.

    Attributes:
        preset: of the model.
        stage: `float` or `w4a8`.
        gpu: name of the accelerator.
        steps: of the configuration.
        audio_hours: that are trained on.
        epochs: the same in those of the corpus.
        exaflop: 10^18 operations.
        hours: lowest and highest estimate.
        dollars: the same, US dollars.
    """

    preset: str
    stage: str
    gpu: str
    steps: int
    audio_hours: float
    epochs: float
    exaflop: float
    hours: Range
    dollars: Range


@dataclasses.dataclass(frozen=True, kw_only=True)
class Estimate:
    """Operations, hours and dollars.

    Attributes:
        counts: by preset.
        rows: one for each stage and accelerator.
    """

    counts: dict[str, PresetCount]
    rows: tuple[StageCost, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeasuredSteps:
    """Steps that were timed here.

    Attributes:
        preset: of the model.
        batch: utterances.
        utterance_seconds: of audio in each.
        labels: of each.
        float_seconds: median of a float step.
        native_seconds: median of a natively quantized step.
        native_cost: median of the rounds' ratios.
        step_flop: operations of a step.
        float_flop_per_second: of the float step.
        threads: CPU threads.
    """

    preset: str
    batch: int
    utterance_seconds: float
    labels: int
    float_seconds: float
    native_seconds: float
    native_cost: float
    step_flop: float
    float_flop_per_second: float
    threads: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeanLengths:
    """Of the utterances that stand for the corpus.

    Attributes:
        corpus: what was measured, in words.
        utterances: how many.
        seconds: of audio, mean.
        labels: word pieces, mean.
        vocabulary: word pieces there are.
    """

    corpus: str
    utterances: int
    seconds: float
    labels: float
    vocabulary: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class CostResults(Estimate, Provenance):
    """What `asr-qat cost` writes.

    Attributes:
        measured_step: the cost of quantization.
        lengths: of the utterances.
    """

    measured_step: MeasuredSteps
    lengths: MeanLengths
