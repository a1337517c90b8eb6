"""A keyword spotter for whole clips and for streams, in the way of kws_streaming.

python -m examples.any_keras.keyword_spotter

The words are spoken by voices of espeak-ng; those of the test are never heard in training, nor is
every other accent. As in
kws_streaming (Rybakov et al., 2020), each convolution over time keeps the frames that it still
needs as a state. Here states are inputs and outputs of the one model: a clip starts from zeros, a
stream from what the step before gave, and the file has a signature for each over the same weights.
"""

import random
from pathlib import Path

import numpy as np
import soundfile
from ai_edge_litert.interpreter import Interpreter
from tensorflow import keras

import tflite_export
from asr_qat.audio.front_end import FrontEndConfig, log_mel
from asr_qat.corpora.synthetic import corpus as synthetic
from asr_qat.corpora.synthetic import espeak_package
from asr_qat.corpora.synthetic.grammar import COMMANDS, DIGITS
from asr_qat.corpora.synthetic.voices import ACCENTS, VARIANTS
from examples.any_keras.score import show
from examples.any_keras.workflow import INT4, WORK, Example, Inputs, Split

FRONT_END = FrontEndConfig(hop_ms=20.0, mel_bins=40)
STACKED = 3  # frames that a step takes at once: 60 ms
CLIP = 20  # steps: 1.2 s
CHANNELS, BLOCKS, KERNEL = 192, 4, 5
WORDS = COMMANDS + DIGITS
SPOKEN = {"train": ACCENTS[::2], "test": ACCENTS}


def data() -> tuple[Split, Split]:
    """Steps of log-mel features `[clips, 20, 1, 120]`, zero states, and the number of the word."""
    plan = {split: _plan(split) for split in SPOKEN}
    folder = synthetic.spoken(espeak_package.fetch(quiet=True), plan)
    found = {
        split: np.stack([_features(folder / f"{each.id}.wav") for each in recordings])
        for split, recordings in plan.items()
    }
    mean, std = (f(found["train"], axis=(0, 1, 2)) for f in (np.mean, np.std))
    train, test = (
        Split(
            {"frames": (found[split] - mean) / std, **zero_states(len(plan[split]))},
            np.array([WORDS.index(each.text) for each in plan[split]]),
        )
        for split in SPOKEN
    )
    return train, test


def _plan(split: str) -> list[synthetic.Recording]:
    chance = random.Random(f"keywords {split}")
    return [
        synthetic.Recording(
            id=f"{split}-{variant}-{accent}-{word}",
            text=word,
            voice=f"{accent}+{variant}",
            rate=chance.randint(*synthetic.RATE),
            pitch=chance.randint(*synthetic.PITCH),
            gap=0,
        )
        for variant in VARIANTS[split]
        for accent in SPOKEN[split]
        for word in WORDS
    ]


def _features(path: Path) -> np.ndarray:
    """Log-mel features of the first 1.2 s, `[20, 1, 120]`; of silence after the recording."""
    audio, _ = soundfile.read(path, dtype="float32")
    samples = FRONT_END.frame_length + (CLIP * STACKED - 1) * FRONT_END.hop_length
    audio = np.pad(audio[:samples], (0, max(0, samples - len(audio))))
    return log_mel(audio, FRONT_END).reshape(CLIP, 1, STACKED * FRONT_END.mel_bins)


def zero_states(count: int) -> Inputs:
    """What the model remembers of the past when there is none."""
    frames = {f"state{block}": KERNEL - 1 for block in range(BLOCKS)} | {"state_mean": CLIP - 1}
    return {
        name: np.zeros((count, length, 1, CHANNELS), np.float32) for name, length in frames.items()
    }


@keras.utils.register_keras_serializable("examples")
class LastFrames(keras.layers.Layer):
    """The last frames of `[batch, time, 1, channels]`."""

    def __init__(self, frames: int, **kwargs):
        super().__init__(**kwargs)
        self.frames = frames

    def call(self, x):
        """`[batch, frames, 1, channels]`."""
        return x[:, -self.frames :]

    def get_config(self) -> dict:
        """The arguments of the constructor."""
        return {**super().get_config(), "frames": self.frames}


def build() -> keras.Model:
    """Depthwise convolutions over time, dense products over channels, the mean of 1.2 s."""
    layers = keras.layers
    frames = keras.Input((None, 1, STACKED * FRONT_END.mel_bins), name="frames")
    states, later = [], []

    def with_past(x, name: str, past: int):
        state = keras.Input((past, 1, CHANNELS), name=name)
        x = layers.Concatenate(axis=1, name=f"{name}_and_frames")([state, x])
        states.append(state)
        later.append(LastFrames(past, name=f"next_{name}")(x))
        return x

    def product(x, name: str):
        x = layers.Conv2D(CHANNELS, 1, use_bias=False, name=name)(x)
        return layers.ReLU(name=f"{name}_relu")(
            layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
        )

    x = product(frames, "stem")
    for block in range(BLOCKS):
        x = with_past(x, f"state{block}", KERNEL - 1)
        x = layers.DepthwiseConv2D((KERNEL, 1), name=f"depthwise{block}")(x)
        x = product(x, f"pointwise{block}")
    x = with_past(x, "state_mean", CLIP - 1)
    x = layers.GlobalAveragePooling2D(name="mean")(LastFrames(CLIP, name="clip")(x))
    word = layers.Dense(len(WORDS), name="word")(x)
    return keras.Model([frames, *states], [word, *later], name="keyword_spotter")


EXAMPLE = Example(
    "keyword spotter",
    data,
    build,
    epochs=6,
    more_epochs=3,
    overrides={"word": "w8a8"},
)


def write_streaming(model: keras.Model, path: Path) -> None:
    """A file for clips and for single steps, over the same weights."""
    past = {name: state.shape for name, state in zero_states(1).items()}
    steps = {"clip": CLIP, "step": 1}
    width = STACKED * FRONT_END.mel_bins
    shapes = {name: {"frames": (1, n, 1, width), **past} for name, n in steps.items()}
    tflite_export.export(model, path, shapes)


def stream(path: Path, frames: np.ndarray) -> np.ndarray:
    """Logits of the words after each step of frames `[steps, 1, 120]`, heard one by one."""
    step = Interpreter(str(path), num_threads=1).get_signature_runner("step")
    states, found = zero_states(1), []
    for each in frames:
        outputs = step(frames=each[None, None], **states)
        states = {name: outputs[f"next_{name}"] for name in states}
        found.append(outputs["word"][0])
    return np.array(found)


if __name__ == "__main__":
    models = show(EXAMPLE)
    write_streaming(models[INT4], WORK / "streaming.tflite")
    _, test = data()
    last = stream(WORK / "streaming.tflite", test.inputs["frames"][0])[-1]
    print(f"streamed: {WORDS[last.argmax()]}, spoken: {WORDS[test.labels[0]]}")
