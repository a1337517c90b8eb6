"""The second loss on an inner block: characters of word pieces, in training alone."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from asr_qat.corpora.dataset import DataConfig
from asr_qat.errors import UserError
from asr_qat.losses.ctc import PADDING, pack_targets
from asr_qat.models.conformer import EncoderConfig
from asr_qat.models.ctc import build_ctc
from asr_qat.models.model_directory import Recogniser
from asr_qat.quantize.apply import QuantizationConfig, quantize_model
from asr_qat.text.tokenizer import Tokenizer
from asr_qat.training.config import TrainConfig
from asr_qat.training.intermediate import CharacterTargets, IntermediateConfig, add_intermediate
from asr_qat.training.run import train

ENCODER = EncoderConfig(2, dim=16, heads=2, feed_forward=16, kernel=5, subsampling=8)
WORDS = ["ENTER", "SEVENTY", "EIGHT", "OH", "A", "B"]


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train([" ".join(WORDS)] * 20, 24, "bpe")


@given(texts=st.lists(st.lists(st.sampled_from(WORDS), min_size=1), min_size=1, max_size=3))
def test_characters_spell_the_text(tokenizer, texts):
    texts = [" ".join(words) for words in texts]
    labels = tf.ragged.constant([tokenizer.encode(t) for t in texts]).to_tensor(PADDING)
    lengths = tf.range(100, 100 + len(texts))
    targets = CharacterTargets(tokenizer)
    result = targets(pack_targets(lengths, labels)).numpy()
    np.testing.assert_array_equal(result[:, 0], lengths)
    for row, text in zip(result[:, 1:], texts, strict=True):
        spelled = "".join(targets.characters[i] for i in row if i != PADDING)
        assert spelled == "▁" + text.replace(" ", "▁")
        assert (row[len(spelled) :] == PADDING).all()


@pytest.mark.parametrize("quantized", [False, True])
def test_the_second_output_is_on_the_inner_block(quantized):
    model = build_ctc(ENCODER, 10)
    if quantized:
        model = quantize_model(model, QuantizationConfig("w4a8"))
    both = add_intermediate(model, 1, 7)
    features = np.random.default_rng(0).standard_normal((2, 30, 80)).astype(np.float32)
    inputs = [features, np.array([30, 20], np.int32)]
    output, inner = both(inputs)
    assert (output.shape, inner.shape) == ((2, 8, 11), (2, 8, 7))
    np.testing.assert_array_equal(output, model(inputs))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(both(inputs)[1] ** 2)
    gradients = tape.gradient(loss, both.trainable_variables)
    reached = {
        v.name for v, g in zip(both.trainable_variables, gradients, strict=True) if g is not None
    }
    assert any("block_00" in name for name in reached)
    assert not any("block_01" in name or "ctc_output" in name for name in reached)


@pytest.mark.parametrize("block", [2, 9])
def test_a_block_that_is_not_inner(block):
    with pytest.raises(UserError, match=f"no block {block} below its last one"):
        add_intermediate(build_ctc(ENCODER, 10), block, 7)


def test_training_leaves_the_head_out_of_the_model_and_can_be_resumed(prepared_folder, tmp_path):
    config = TrainConfig(
        data=str(prepared_folder),
        output=str(tmp_path / "whole"),
        steps=6,
        encoder=ENCODER,
        intermediate=IntermediateConfig(1, 0.5),
        batches=DataConfig(batch_size=4, cache=True),
        evaluate_every=3,
    )
    whole = train(config, quiet=True)
    assert [w.name for w in Recogniser.load(config.output).model.weights] == [
        w.name for w in whole.model.weights
    ]
    without = train(
        dataclasses.replace(config, output=str(tmp_path / "none"), intermediate=None), True
    )
    assert len(without.model.weights) == len(whole.model.weights)

    def losses(folder):
        lines = (Path(folder) / "history.jsonl").read_text().splitlines()
        return [json.loads(line)["loss"] for line in lines]

    assert losses(tmp_path / "none") != losses(tmp_path / "whole")
    with pytest.raises(UserError, match="was trained with other intermediate"):
        train(dataclasses.replace(config, intermediate=None), quiet=True)
