"""Makes the files `tests/data/tones_*.tflite`, which the tests of the runtime recognise with.

    python -m tests.make_tones              # some minutes; needs the extra `train`
    python -m tests.make_tones transducer   # that one alone

Their language is that of `tests.conftest.utterance`: five words, a tone for each. A CTC model, a
transducer and a live model, trained in float and quantized to `w4a8` after training.
"""

import dataclasses
import random
import sys
import tempfile
from pathlib import Path

import soundfile

import asr_qat
from asr_qat.corpora.readers.manifest import read
from tests.conftest import SAMPLE_RATE, WORD_HZ, utterance
from tflite_export import convert_model

DATA = Path(__file__).parent / "data"
SECONDS = (2.0,)  # of the signature; longer recordings are cut into windows
UTTERANCES = {"train": 200, "dev": 20, "test": 20}
ENCODER = asr_qat.EncoderConfig(1, dim=32, heads=2, feed_forward=64, kernel=8, subsampling=16)
TRANSDUCER = asr_qat.TransducerConfig(embedding=16, units=32, joint=32, ctc_weight=0.3)
MODELS = {
    "ctc": {},
    "transducer": {"model": "transducer", "transducer": TRANSDUCER},
    "live": {
        "model": "transducer",
        "transducer": TRANSDUCER,
        "streaming": asr_qat.StreamingConfig(1, left_context=8, look_ahead=1, right_context=2),
    },
}


def write_corpus(folder: Path) -> None:
    """Random sentences of two to five words."""
    rng = random.Random(0)
    for split, count in UTTERANCES.items():
        (folder / split).mkdir(parents=True)
        for index in range(count):
            words = rng.choices(list(WORD_HZ), k=rng.randint(2, 5))
            path = folder / split / f"{index:03d}.wav"
            soundfile.write(path, utterance(words, rng.randrange(1 << 30)), SAMPLE_RATE)
            path.with_suffix(".txt").write_text(" ".join(words) + "\n")


def main() -> None:
    """Train, quantize, convert."""
    asr_qat.show_log()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_corpus(folder / "corpus")
        asr_qat.prepare(read(folder / "corpus"), folder / "data", vocab_size=40, model_type="char")
        for name in sys.argv[1:] or MODELS:
            config = asr_qat.TrainConfig(
                data=str(folder / "data"),
                output=str(folder / name),
                steps=2500,
                encoder=ENCODER,
                batches=asr_qat.DataConfig(batch_size=8, cache=True),
                evaluate_every=500,
                **MODELS[name],
            )
            schedule = dataclasses.replace(config.optimizer.schedule, peak=3e-3, warmup=100)
            optimizer = dataclasses.replace(config.optimizer, schedule=schedule, average=0.99)
            asr_qat.train(dataclasses.replace(config, optimizer=optimizer))
            seconds = None if name == "live" else SECONDS
            convert_model(config.output, DATA / f"tones_{name}.tflite", "w4a8", seconds)


if __name__ == "__main__":
    main()
