"""The results that are measured anew: those that take about an hour in all."""

import dataclasses

LIBRISPEECH = "work/librispeech_check"  # prepared folder
LIVE = "work/an4_live_mixed_4_8.tflite"  # quantized after training
LIVE_FLOAT = "work/an4_live_float.tflite"
VOCABULARY = "models/an4_tiny_float/tokenizer.model"


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One or more commands, and the results that they write.

    Attributes:
        results: names of the files in `results/`, of which the first one names it.
        commands: as they are typed, one after the other.
        minutes: that they take on two cores, about.
    """

    results: tuple[str, ...]
    commands: tuple[str, ...]
    minutes: int

    @property
    def name(self) -> str:
        """What `--only` takes."""
        return self.results[0].removesuffix(".json")


MEASUREMENTS = (
    Measurement(("training_cost.json",), ("asr-qat benchmark",), 2),
    Measurement(("training_cost_m.json",), ("asr-qat benchmark --preset M --rounds 7",), 4),
    Measurement(("transducer_loss.json",), ("asr-qat benchmark-loss",), 6),
    Measurement(
        ("input_throughput.json",),
        (
            f"asr-qat prepare --corpus librispeech --vocab-size 1024 --out {LIBRISPEECH}",
            f"asr-qat benchmark-input --data {LIBRISPEECH}",
        ),
        4,
    ),
    Measurement(("training_cost_librispeech.json",), ("asr-qat cost",), 3),
    Measurement(
        ("scale.json",),
        (f"tflite-export scale --model ctc --preset L --tokenizer {VOCABULARY}",),
        5,
    ),
    Measurement(
        ("transducer_scale.json",), ("tflite-export scale --model transducer --preset S M L",), 15
    ),
    Measurement(
        ("transducer_two_bits.json",),
        (
            "tflite-export scale --preset L --precisions two_bit two_bit_all w2a8 "
            "--name transducer_two_bits",
        ),
        6,
    ),
    Measurement(("streaming_scale.json",), ("tflite-export streaming scale",), 8),
    Measurement(("demo.json", "equality.json"), ("tflite-export demo --results results",), 18),
    Measurement(
        ("browser.json",),
        (
            f"tflite-export convert models/an4_live_float --precision mixed_4_8 -o {LIVE}",
            f"tflite-export convert models/an4_live_float -o {LIVE_FLOAT}",
            f"python -m experiments.browser {LIVE} --webgpu {LIVE_FLOAT} "
            "--data work/demo/an4_prepared",
        ),
        4,
    ),
    Measurement(("noise.json",), ("python -m experiments.noise",), 6),  # of the demo's files
    Measurement(("runtimes.json",), ("python -m experiments.runtimes",), 6),  # of its recordings
    Measurement(("micro.json",), ("python -m experiments.micro",), 3),  # of the demo's model
    Measurement(
        ("demo_synthetic.json", "equality_synthetic.json"),
        ("tflite-export demo --corpus synthetic --results results",),
        8,
    ),
    Measurement(
        ("transducer_an4.json", "equality_transducer_an4.json"),
        ("tflite-export demo --model transducer --results results",),
        12,
    ),
)
