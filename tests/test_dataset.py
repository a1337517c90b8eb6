"""The training pipeline: batches are a function of seed and step; evaluation is in order."""

import collections
import dataclasses
import itertools
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from asr_qat.audio.augment import change_speed, samples_at_speed
from asr_qat.audio.decode import read_audio
from asr_qat.audio.front_end import LEVELLED_FRONT_END, NEMO_FRONT_END, log_mel, normalize
from asr_qat.audio.log_mel import log_mel as tf_log_mel
from asr_qat.audio.reverberation import ReverberationConfig
from asr_qat.corpora.data_config import DataConfig
from asr_qat.corpora.dataset import Pipeline
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.errors import UserError
from asr_qat.losses.ctc import CTCLoss
from asr_qat.losses.targets import PADDING
from asr_qat.models.ctc import build_ctc
from asr_qat.models.encoder_config import EncoderConfig
from tests.conftest import long_case

PLAIN = DataConfig(batch_size=4, speeds=(1.0,), spec_augment=None)
AUGMENTED = DataConfig(batch_size=4, join=0.3, gain=0.5, reverberation=ReverberationConfig())
BOTH = pytest.mark.parametrize("cache", [True, False], ids=["cached", "streamed"])


@pytest.fixture(scope="module")
def folder(prepared_folder):
    return PreparedFolder(prepared_folder)


def take(pipeline, count, step=0):
    batches = itertools.islice(pipeline.training(step), count)
    return [((x.numpy(), n.numpy()), y.numpy()) for (x, n), y in batches]


def equal(first, second):
    pairs = zip(first, second, strict=True)
    return all(
        np.array_equal(a[0][0], b[0][0])
        and np.array_equal(a[0][1], b[0][1])
        and np.array_equal(a[1], b[1])
        for a, b in pairs
    )


def texts(batches, folder):
    rows = itertools.chain.from_iterable(targets for _, targets in batches)
    return [folder.tokenizer.decode([int(t) for t in row[1:] if t != PADDING]) for row in rows]


@BOTH
@pytest.mark.parametrize("config", [long_case(PLAIN), AUGMENTED], ids=["plain", "augmented"])
def test_batches_are_a_function_of_the_seed_and_the_step(folder, cache, config):
    config = dataclasses.replace(config, cache=cache)
    pipeline = Pipeline(folder, config, seed=3)
    count = pipeline.batches_per_pass + 2
    batches = take(pipeline, count)
    assert not equal(batches[:2], take(Pipeline(folder, config, seed=4), 2))
    for step in (1, pipeline.batches_per_pass + 1):
        rest = take(Pipeline(folder, config, seed=3), count - step, step)
        assert equal(rest, batches[step:])


@BOTH
def test_rooms_change_what_is_heard_and_not_how_long(folder, cache):
    config = dataclasses.replace(PLAIN, cache=cache)
    inside = dataclasses.replace(config, reverberation=ReverberationConfig(1.0, (0.1, 0.2)))
    outside, heard = (take(Pipeline(folder, each), 2) for each in (config, inside))
    for ((dry, lengths), targets), ((wet, same), labels) in zip(outside, heard, strict=True):
        np.testing.assert_array_equal(lengths, same)
        np.testing.assert_array_equal(targets, labels)
        assert np.abs(wet - dry).mean() > 0.05


@BOTH
def test_a_pass_holds_every_utterance_once(folder, cache):
    pipeline = Pipeline(folder, dataclasses.replace(PLAIN, cache=cache))
    wanted = collections.Counter(u["text"] for u in folder.utterances("train"))
    size = pipeline.batches_per_pass
    batches = take(pipeline, 3 * size)
    passes = [batches[i * size : (i + 1) * size] for i in range(3)]
    orders = [texts(each, folder) for each in passes]
    for order in orders:
        assert collections.Counter(order) == wanted
    assert len(set(map(tuple, orders))) == 3  # another order every time


@BOTH
def test_batches_are_padded_and_limited(folder, cache):
    pipeline = Pipeline(folder, dataclasses.replace(PLAIN, cache=cache))
    for (features, lengths), targets in take(pipeline, pipeline.batches_per_pass):
        assert features.dtype == np.float32
        assert 1 <= len(features) == len(lengths) == len(targets) <= 4
        assert features.shape[1:] == (lengths.max(), 80)
        np.testing.assert_array_equal(targets[:, 0], lengths)
        for row, length in zip(features, lengths, strict=True):
            assert (row[length:] == 0).all()


@BOTH
def test_speeds_change_the_lengths(folder, cache):
    config = dataclasses.replace(PLAIN, speeds=(0.9, 1.0, 1.1), cache=cache)
    pipeline = Pipeline(folder, config)
    known = {u["text"]: u["duration"] for u in folder.utterances("train")}
    ratios = collections.Counter()
    for batch in take(pipeline, 4 * pipeline.batches_per_pass):
        for text, length in zip(texts([batch], folder), batch[0][1], strict=True):
            ratios[round(100 * known[text] / (length + 1.5), 1)] += 1
    assert set(ratios) <= {0.9, 1.0, 1.1}
    assert len(ratios) == 3


def test_features_in_memory_are_computed_once(folder, monkeypatch):
    config = dataclasses.replace(PLAIN, cache=True)
    other = dataclasses.replace(folder.stats, mean=folder.stats.mean + 1)
    computed = []
    compute = Pipeline._compute_features

    def count(self, shards):
        computed.append(self)
        return compute(self, shards)

    def sum_of_pass(cache, stats):
        pipeline = Pipeline(folder, dataclasses.replace(config, cache=cache), stats=stats)
        return sum((x**2).sum() for (x, _), _ in take(pipeline, pipeline.batches_per_pass))

    monkeypatch.setattr(Pipeline, "_compute_features", count)
    monkeypatch.setattr("asr_qat.corpora.dataset._LAST_FEATURES", {})
    for seed in range(2):
        take(Pipeline(folder, dataclasses.replace(config, batch_size=2), seed), 1)
    assert len(computed) == 1
    for stats in (folder.stats, other):
        assert sum_of_pass(True, stats) == pytest.approx(sum_of_pass(False, stats), rel=1e-4)
    assert len(computed) == 2  # other features for other statistics


def test_joined_utterances_have_the_labels_of_both(folder):
    config = dataclasses.replace(PLAIN, join=1.0, cache=True)
    pipeline = Pipeline(folder, config)
    known = {u["text"].replace(" ", "") for u in folder.utterances("train")}
    for text in texts(take(pipeline, 3), folder):
        joined = text.replace(" ", "")
        assert any(joined.startswith(one) and joined[len(one) :] in known for one in known)


@BOTH
def test_masks_differ_from_pass_to_pass(folder, cache):
    config = DataConfig(batch_size=4, speeds=(1.0,), cache=cache)
    pipeline = Pipeline(folder, config)
    zeros = []
    for (features, lengths), _ in take(pipeline, 2 * pipeline.batches_per_pass):
        zeros += [np.mean(row[:n] == 0) for row, n in zip(features, lengths, strict=True)]
    assert 0.05 < np.mean(zeros) < 0.8
    assert len(set(zeros)) > len(zeros) // 2


def test_evaluation_is_in_the_order_of_the_manifest(folder):
    stats = folder.stats
    for split in ("dev", "test", "train"):
        pipeline = Pipeline(folder, AUGMENTED)
        utterances = folder.utterances(split)
        rows = [
            (row[:n], labels)
            for (features, lengths), targets in pipeline.evaluation(split)
            for row, n, labels in zip(
                features.numpy(), lengths.numpy(), targets.numpy(), strict=True
            )
        ]
        assert len(rows) == len(utterances)
        for (features, labels), utterance in zip(rows, utterances, strict=True):
            text = folder.tokenizer.decode([int(t) for t in labels[1:] if t != PADDING])
            assert text == utterance["text"]
            audio = read_audio(utterance["audio_filepath"])
            expected = normalize(
                log_mel(audio, stats.front_end), stats.front_end, stats.mean, stats.std
            )
            np.testing.assert_allclose(features, expected, atol=1e-3)


def test_statistics_of_a_model_replace_those_of_the_folder(folder):
    stats = dataclasses.replace(folder.stats, mean=folder.stats.mean + 2 * folder.stats.std)
    ((own, _), _) = next(iter(Pipeline(folder, PLAIN).evaluation("dev")))
    ((other, lengths), _) = next(iter(Pipeline(folder, PLAIN, 0, stats).evaluation("dev")))
    valid = np.arange(own.shape[1]) < lengths.numpy()[:, None]
    np.testing.assert_allclose(other[valid], own[valid] - 2, atol=1e-4)


@BOTH
def test_a_front_end_that_normalizes_utterances(folder, cache):
    """Each at every speed, before masks: what they leave, zeros aside, is the whole's."""
    stats = dataclasses.replace(folder.stats, front_end=NEMO_FRONT_END)
    config = DataConfig(batch_size=1, cache=cache)
    plain = dataclasses.replace(config, spec_augment=None)
    whole = take(Pipeline(folder, plain, 0, stats), 6)
    for (features, _), _ in whole:
        np.testing.assert_allclose(features[0].mean(axis=0), 0, atol=1e-3)
        np.testing.assert_allclose(features[0].std(axis=0, ddof=1), 1, atol=1e-3)
    for masked, ((features, _), _) in zip(
        take(Pipeline(folder, config, 0, stats), 6), whole, strict=True
    ):
        found = masked[0][0]
        assert 0 < (found == 0).mean() < 1
        np.testing.assert_array_equal(found[found != 0], features[found != 0])


def test_a_model_that_does_not_hear_the_folder(folder):
    other = dataclasses.replace(NEMO_FRONT_END, sample_rate=24000)
    for config, front_end, complaint in (
        (PLAIN, other, "has 16000 Hz, the model hears 24000 Hz"),
        (AUGMENTED, NEMO_FRONT_END, "batches.gain: .* takes any gain away: omit it"),
    ):
        stats = dataclasses.replace(folder.stats, front_end=front_end)
        with pytest.raises(UserError, match=complaint):
            Pipeline(folder, config, stats=stats)


@BOTH
def test_an_utterance_that_a_higher_speed_makes_too_short(synthetic_corpus, tmp_path, cache):
    """Prepared because its labels fit at speed 1; faster they do not, and it is left out."""
    from asr_qat.corpora.prepare import prepare
    from asr_qat.corpora.readers.manifest import read

    corpus = tmp_path / "corpus"
    shutil.copytree(synthetic_corpus, corpus)
    wave = next((corpus / "train").glob("*.wav"))
    seconds = len(read_audio(wave)) / 16000
    labels = int(seconds * 25) - 1  # one for each encoder frame at speed 1
    wave.with_suffix(".txt").write_text(("ONE TWO " * labels)[:labels].strip() + "\n")
    prepare(read(corpus), tmp_path / "out", 40, "char", quiet=True)
    folder = PreparedFolder(tmp_path / "out")
    assert wave.stem in json.dumps([u["id"] for u in folder.utterances("train")])
    pipeline = Pipeline(
        folder, DataConfig(batch_size=1, speeds=(1.1,), spec_augment=None, cache=cache)
    )
    encoder = EncoderConfig(1, 8, 2, feed_forward=8, kernel=3, subsampling=4, dropout=0.0)
    model = build_ctc(encoder, folder.tokenizer.vocab_size)
    loss = CTCLoss(reduction="none")
    losses = [
        float(loss(targets, model(list(inputs)))[0])
        for inputs, targets in take(pipeline, pipeline.batches_per_pass)
    ]
    assert np.isfinite(losses).all()
    assert losses.count(0.0) == 1


@pytest.mark.parametrize("front_end", [LEVELLED_FRONT_END, NEMO_FRONT_END], ids=["own", "nemo"])
@pytest.mark.parametrize("speed", [0.9, 1.0, 1.1])
def test_lengths_are_known_without_decoding(front_end, speed):
    """By which utterances are put into batches before any is decoded."""
    for samples in (300, 399, 400, 4321, 16001):
        audio = tf.zeros([samples]) + 0.1
        frames = tf_log_mel(change_speed(audio, speed), front_end)
        assert front_end.frames(samples_at_speed(samples, speed)) == len(frames)
