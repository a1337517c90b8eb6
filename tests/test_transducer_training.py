"""Trainings of transducers: from nothing, from other models, interrupted, refused."""

import dataclasses

import numpy as np
import pytest

from asr_qat.config import load_yaml
from asr_qat.corpora.dataset import Pipeline
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.errors import UserError
from asr_qat.layers.dropout import Dropout
from asr_qat.losses.ctc import CTCLoss
from asr_qat.losses.transducer import TransducerLoss
from asr_qat.models.model_config import ModelConfig
from asr_qat.models.model_directory import Recogniser
from asr_qat.models.presets import PRESETS, TRANSDUCERS
from asr_qat.quantize.apply import QuantizationConfig
from asr_qat.training.callbacks import Checkpoints
from asr_qat.training.config import TrainConfig
from asr_qat.training.description import describe
from asr_qat.training.run import train
from asr_qat.training.start import first_recogniser
from asr_qat.training.word_error_rate import Evaluator
from tests.conftest import long_case
from tests.training_fixtures import ENCODER, W4, assert_same_weights, configuration, history
from tests.transducer_fixtures import LSTM, NGRAM, PLAIN, STEPS, WRITER

pytest_plugins = ["tests.training_fixtures", "tests.transducer_fixtures"]

STATS = (np.zeros(80), np.ones(80))  # of features
DROPPING = dataclasses.replace(LSTM, dropout=0.3, ctc_weight=0.3)


@pytest.fixture(scope="module")
def folder(prepared_folder):
    return PreparedFolder(prepared_folder)


def by_layer(recogniser) -> dict[str, list[bytes]]:
    """Trained weights, in whatever order a quantized layer has them."""
    found = {
        layer.name: sorted(w.numpy().tobytes() for w in layer.trainable_weights)
        for layer in recogniser.model.layers
    }
    return {name: weights for name, weights in found.items() if weights}


def assert_taken_over(started, before, new):
    """The layers of `started` have the weights of `before`, but for `new` ones."""
    ours, theirs = by_layer(started), by_layer(before)
    assert ours.keys() - theirs.keys() == new
    for name in ours.keys() - new:
        assert ours[name] == theirs[name], name


@pytest.mark.slow
def test_the_loss_falls(transducer_run):
    config, recogniser = transducer_run
    lines = history(config.output)
    assert [line["step"] for line in lines] == [STEPS // 4 * n for n in range(1, 5)]
    losses = [line["loss"] for line in lines]
    assert losses[-1] < losses[0] / 10
    assert losses == sorted(losses, reverse=True)
    assert lines[-1]["wer"] <= 0.2
    assert recogniser.config.transducer == WRITER
    assert Recogniser.load(config.output).config == recogniser.config


@pytest.mark.slow
def test_evaluation_of_a_batch_is_that_of_each_utterance(transducer_run, folder):
    _, recogniser = transducer_run
    stats = dataclasses.replace(folder.stats, mean=recogniser.mean, std=recogniser.std)
    pipeline = Pipeline(folder, PLAIN, 0, stats)
    together = Evaluator(recogniser.decoder(), pipeline, "train").hypotheses()
    decoder = recogniser.decoder()
    alone = []
    for (features, lengths), _ in pipeline.evaluation("train"):
        for row, length in zip(features.numpy(), lengths.numpy(), strict=True):
            (encoded,) = decoder.encode(row[None, :length], [length])
            alone.append(folder.tokenizer.decode(decoder.recognise(encoded).tokens))
    assert together == alone
    assert together == [u["text"] for u in folder.utterances("train")]


@pytest.mark.long  # with a CTC model: tests/test_training_interrupted.py
@pytest.mark.usefixtures("without_wer")
def test_interrupted_and_resumed_is_as_in_one_go(prepared_folder, tmp_path, monkeypatch):
    whole = configuration(
        prepared_folder,
        tmp_path / "whole",
        steps=5,
        evaluate_every=5,
        keep="last",
        model="transducer",
        transducer=DROPPING,
        checkpoint_minutes=0.0,
    )
    expected = train(whole, quiet=True)
    assert np.isfinite([line["loss"] for line in history(whole.output)]).all()

    parts = dataclasses.replace(whole, output=str(tmp_path / "parts"))
    finished = Checkpoints.on_train_batch_end

    def interrupted(self, batch, logs=None):
        finished(self, batch, logs)
        if batch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Checkpoints, "on_train_batch_end", interrupted)
        train(parts, quiet=True)
    assert not (tmp_path / "parts/model.weights.h5").exists()
    assert_same_weights(train(parts, quiet=True), expected)
    assert history(parts.output) == history(whole.output)


@pytest.mark.long
@pytest.mark.usefixtures("without_wer")
def test_quantization_that_begins_late(prepared_folder, tmp_path):
    """In the recurrence and in the loop over frames, too."""
    late = QuantizationConfig("w4a8", start_step=2)
    config = configuration(
        prepared_folder,
        tmp_path / "model",
        steps=3,
        model="transducer",
        transducer=dataclasses.replace(LSTM, frames_at_once=4),
        quantization=late,
        keep="last",
    )
    trained = train(config, quiet=True)
    assert trained.config.quantization == late
    (line,) = history(config.output)
    assert 0 < line["loss"] < np.inf
    counters = [w for w in trained.model.weights if w.name.split(":")[0].endswith("kernel_step")]
    assert {int(counter) for counter in counters} == {3}


@pytest.mark.slow
@pytest.mark.usefixtures("without_wer")
def test_an_ngram_learns(prepared_folder, tmp_path):
    config = configuration(
        prepared_folder,
        tmp_path / "model",
        steps=12,
        model="transducer",
        transducer=NGRAM,
        evaluate_every=6,
        keep="last",
    )
    trained = train(config, quiet=True)
    assert trained.config.transducer == NGRAM
    first, last = (line["loss"] for line in history(config.output))
    assert last < 0.9 * first


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "weight"),
    [(LSTM, 0.3), (NGRAM, 0.0), long_case(LSTM, 0.0), long_case(NGRAM, 0.3)],
    ids=["lstm-headed", "ngram", "lstm", "ngram-headed"],
)
def test_a_start_from_a_ctc_model(float_run, folder, shape, weight):
    """The encoder is taken over, and the CTC head where there is an auxiliary one."""
    before, recogniser = float_run
    wanted = dataclasses.replace(shape, ctc_weight=weight)
    config = configuration(
        folder.path, "out", start=before.output, encoder=None,
        model="transducer", transducer=wanted,
    )  # fmt: skip
    started = first_recogniser(config, folder)
    assert started.config == ModelConfig(ENCODER, recogniser.config.front_end, None, wanted)
    new = {n for n in by_layer(started) if n.startswith(("prediction_", "joint_"))}
    assert_taken_over(started, recogniser, new)
    assert ("ctc_output" in by_layer(started)) == bool(weight)


@pytest.mark.slow
def test_a_start_from_a_transducer(transducer_run, folder):
    before, recogniser = transducer_run
    values = {"start": before.output, "encoder": None}
    same = first_recogniser(configuration(folder.path, "out", **values), folder)
    assert same.config == recogniser.config
    assert_same_weights(same, recogniser)

    values |= {"model": "transducer"}
    free = dataclasses.replace(WRITER, dropout=0.4, ctc_weight=0.0, frames_at_once=3)
    other = configuration(folder.path, "out", transducer=free, quantization=W4, **values)
    started = first_recogniser(other, folder)
    assert started.config.transducer == free
    assert started.config.quantization == W4
    assert_taken_over(started, recogniser, set())
    rates = {
        layer.rate
        for layer in started.model._flatten_layers()
        if isinstance(layer, Dropout) and layer.name.startswith("prediction_")
    }
    assert rates == {0.4}
    assert "ctc_output" not in by_layer(started)


@pytest.mark.slow
def test_refused_starts(float_run, transducer_run, folder, tmp_path):
    transducer = transducer_run[0].output

    def refusal(**changes):
        values = {"encoder": None, **changes}
        with pytest.raises(UserError) as caught:
            first_recogniser(configuration(folder.path, "out", **values), folder)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    message = refusal(start=transducer, model="ctc")
    assert message.startswith(f"{transducer}: a transducer: omit `model: ctc`")
    wider = dataclasses.replace(WRITER, units=18)
    message = refusal(start=transducer, model="transducer", transducer=wider)
    assert message.startswith(f"transducer: not the shape of {transducer}, apart from dropout,")
    message = refusal(start=transducer, encoder=ENCODER)
    assert message.startswith(f"encoder: not that of {transducer}")

    quantized = dataclasses.replace(float_run[1].config, quantization=W4)
    Recogniser.create(quantized, folder.tokenizer, folder.stats.mean, folder.stats.std).save(
        tmp_path / "w4"
    )
    message = refusal(start=str(tmp_path / "w4"), model="transducer", transducer=LSTM)
    assert message == (
        f"{tmp_path / 'w4'}: a quantized CTC model: start a transducer from a float one"
    )


def test_a_shape_without_a_transducer():
    for model in (None, "ctc"):
        with pytest.raises(UserError, match="add `model: transducer`"):
            TrainConfig("data", "out", 5, model=model, transducer=LSTM)


def test_shapes_of_presets(tmp_path, prepared_folder):
    folder = PreparedFolder(prepared_folder)
    config = TrainConfig("data", str(tmp_path), 5, model="transducer")
    assert config.transducer_config() == TRANSDUCERS["tiny"]
    small = dataclasses.replace(config, preset="S")
    assert (small.encoder_config(), small.transducer_config()) == (PRESETS["S"], TRANSDUCERS["S"])
    given = dataclasses.replace(small, transducer=LSTM)
    assert (given.encoder_config(), given.transducer_config()) == (PRESETS["S"], LSTM)
    assert dataclasses.replace(config, model=None).transducer_config() is None
    assert PRESETS.keys() == TRANSDUCERS.keys()
    with pytest.raises(UserError, match="'XL' is not one of tiny, S, M, L"):
        dataclasses.replace(config, preset="XL").transducer_config()
    # Presets are only names: what they stand for is remembered.
    assert describe(small, folder)["transducer"] == dataclasses.asdict(TRANSDUCERS["S"])
    assert describe(dataclasses.replace(config, model="ctc"), folder)["transducer"] is None


def test_losses():
    def kinds(transducer):
        found = ModelConfig(ENCODER, transducer=transducer).kind.losses()
        return [(type(loss), weight) for loss, weight in found]

    assert kinds(None) == [(CTCLoss, 1.0)]
    assert kinds(LSTM) == [(TransducerLoss, 1.0)]
    assert kinds(DROPPING) == [(TransducerLoss, 1.0), (CTCLoss, 0.3)]


def test_frames_at_once_of_a_training(folder, tmp_path):
    config = configuration(
        folder.path, tmp_path, encoder=ENCODER, model="transducer", transducer=LSTM
    )
    for frames in (None, 5):
        started = first_recogniser(dataclasses.replace(config, frames_at_once=frames), folder)
        assert started.config.transducer == dataclasses.replace(LSTM, frames_at_once=frames)
    with pytest.raises(UserError, match="frames_at_once: 0 is less than 1"):
        dataclasses.replace(config, frames_at_once=0)


def test_networks_of_the_preset_with_the_same_encoder(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(PRESETS, "tiny", dataclasses.replace(PRESETS["tiny"], blocks=1))
    tiny, other = (
        Recogniser.create(ModelConfig(shape, folder.stats.front_end), folder.tokenizer, *STATS)
        for shape in (PRESETS["tiny"], ENCODER)
    )
    tiny.save(tmp_path / "tiny")
    other.save(tmp_path / "other")
    config = TrainConfig("data", "out", 5, start=str(tmp_path / "tiny"), model="transducer")
    assert first_recogniser(config, folder).config.transducer == TRANSDUCERS["tiny"]
    config = dataclasses.replace(config, start=str(tmp_path / "other"))
    with pytest.raises(UserError, match="other: its encoder is that of no preset"):
        first_recogniser(config, folder)


def test_a_shape_is_given_whole(tmp_path):
    """Else what is not given would be some preset's."""
    path = tmp_path / "train.yaml"
    path.write_text("data: a\noutput: b\nsteps: 5\nmodel: transducer\npreset: S\n")
    with pytest.raises(UserError, match="transducer: key 'embedding' is missing"):
        load_yaml(path, TrainConfig, ["transducer.ctc_weight=0.3"])
