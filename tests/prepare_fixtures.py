"""A small corpus to prepare, and what is in a prepared folder."""

import json

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from asr_qat.corpora.prepare import prepare
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.corpora.readers import manifest

WORDS = ["ONE TWO", "THREE", "FOUR FIVE SIX", "SEVEN EIGHT"]


def record(path, seconds=1.0, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(-9000, 9000, round(seconds * 16000))
    soundfile.write(path, noise.astype(np.int16), 16000)


@pytest.fixture
def corpus(tmp_path):
    """Manifests of 10 training, 2 dev and 2 test utterances."""
    folder = tmp_path / "corpus"
    for first, split, count in ((0, "train", 10), (20, "dev", 2), (30, "test", 2)):
        lines = []
        for i in range(count):
            record(folder / f"{split}{i}.wav", 0.8 + 0.1 * i, seed=first + i)
            lines.append(entry(f"{split}{i}.wav", WORDS[i % 4], speaker=f"{split}-{i % 2}"))
        (folder / f"{split}.jsonl").write_text("".join(lines))
    return folder


def entry(audio, text, **extra):
    return json.dumps({"audio_filepath": audio, "text": text} | extra) + "\n"


def add(corpus, split, *lines):
    with (corpus / f"{split}.jsonl").open("a") as file:
        file.writelines(lines)


def run(corpus, out, **options):
    defaults = {"vocab_size": 40, "model_type": "char", "quiet": True}
    prepare(manifest.read(corpus), out, **(defaults | options))
    return PreparedFolder(out)


def examples(prepared, split):
    schema = {
        "id": tf.io.FixedLenFeature([], tf.string),
        "audio": tf.io.FixedLenFeature([], tf.string),
        "samples": tf.io.FixedLenFeature([], tf.int64),
        "text": tf.io.FixedLenFeature([], tf.string),
        "tokens": tf.io.RaggedFeature(tf.int64),
    }
    dataset = tf.data.TFRecordDataset([str(path) for path in prepared.shards(split)])
    return [tf.io.parse_single_example(item, schema) for item in dataset]


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
