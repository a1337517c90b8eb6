"""Whole trainings on the synthetic corpus: written, finished, refused."""

import dataclasses
import json
import re
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from asr_qat.audio.front_end import LEVELLED_FRONT_END, FrontEndConfig
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.errors import UserError
from asr_qat.folder_sums import SUMS
from asr_qat.layers.dropout import Dropout
from asr_qat.models.model_directory import Recogniser
from asr_qat.models.presets import PRESETS
from asr_qat.text.tokenizer import Tokenizer
from asr_qat.training.config import TrainConfig
from asr_qat.training.description import check_same, describe
from asr_qat.training.run import train
from asr_qat.training.start import first_recogniser
from asr_qat.training.training_step import TrainedModel
from tests.training_fixtures import (
    ENCODER,
    REPOSITORY,
    W4,
    assert_same_weights,
    configuration,
    history,
    refusal,
)

pytest_plugins = ["tests.training_fixtures"]


def test_a_model_directory_is_written(float_run, capsys):
    config, recogniser = float_run
    loaded = Recogniser.load(config.output)
    assert loaded.config == recogniser.config
    assert loaded.config.encoder == ENCODER
    features = np.random.default_rng(0).standard_normal((1, 60, 80)).astype(np.float32)
    inputs = [features, np.array([60], np.int32)]
    np.testing.assert_array_equal(loaded.model(inputs), recogniser.model(inputs))
    lines = history(config.output)
    assert [line["step"] for line in lines] == [3, 6]
    assert all(line["loss"] > 0 and line["wer"] >= 0 for line in lines)
    training = json.loads((Path(config.output) / "training.json").read_text())
    assert training["steps"] == 6
    assert list((Path(config.output) / "tensorboard").iterdir())


def test_a_finished_training_does_nothing(float_run, capsys, caplog):
    config, recogniser = float_run
    before = history(config.output)
    again = train(config, quiet=True)
    assert history(config.output) == before
    assert_same_weights(again, recogniser)
    assert not capsys.readouterr().out
    caplog.set_level("INFO", "asr_qat")
    train(dataclasses.replace(config, evaluate_every=1, checkpoint_minutes=1.0, keep="last"))
    assert caplog.messages == [f"{config.output}: all 6 steps are done already"]


@pytest.mark.long
def test_a_training_without_evaluation_saves_its_last_model(float_run, prepared_folder, tmp_path):
    config = configuration(prepared_folder, tmp_path / "model", evaluate_every=None, keep="last")
    last = train(config, quiet=True)
    (line,) = history(config.output)
    assert (line["step"], line["wer"]) == (6, None)
    assert_same_weights(Recogniser.load(config.output), last)
    with pytest.raises(UserError, match="evaluate_every: null .* `keep: last`"):
        dataclasses.replace(config, keep="best")


def test_an_output_of_another_configuration(float_run, tmp_path):
    config, _ = float_run
    output = tmp_path / "model"
    shutil.copytree(config.output, output)
    same = dataclasses.replace(config, output=str(output))
    training = json.loads((output / "training.json").read_text())
    assert training["start_weights"] is None

    optimizer = dataclasses.replace(config.optimizer, weight_decay=0.5)
    other = dataclasses.replace(same, seed=1, optimizer=optimizer, quantization=W4)
    message = refusal(other)
    assert message.startswith(f"{output}: was trained with other quantization, optimizer, seed: ")
    started = dataclasses.replace(same, start=config.output, encoder=None)
    assert "other encoder, start_weights: " in refusal(started)

    # As earlier versions wrote it.
    del training["start_weights"], training["optimizer"]["l2"], training["encoder"]["norm_epsilon"]
    (output / "training.json").write_text(json.dumps(training))
    train(same, quiet=True)
    (output / "training.json").write_text("[]")
    assert "training.json: damaged" in refusal(same)
    shutil.rmtree(output / "checkpoints")  # nothing of the other training is left to go on from
    check_same(output, {"seed": 3})


@pytest.mark.long
def test_the_same_seed_gives_the_same_model(float_run, prepared_folder, tmp_path):
    config, recogniser = float_run
    again = train(dataclasses.replace(config, output=str(tmp_path / "again")), quiet=True)
    assert history(tmp_path / "again") == history(config.output)
    assert_same_weights(again, recogniser)


def test_a_loss_that_is_not_finite_is_explained(prepared_folder, tmp_path):
    config = configuration(prepared_folder, tmp_path / "model", steps=30)
    schedule = dataclasses.replace(config.optimizer.schedule, peak=1e30, warmup=1)
    optimizer = dataclasses.replace(config.optimizer, schedule=schedule, clip_norm=1e30)
    message = refusal(dataclasses.replace(config, optimizer=optimizer))
    found = re.fullmatch(
        r"loss is (nan|inf|-inf) at step (\d+) \(pass (\d+), batch (\d+): (.*)\); .*", message
    )
    assert found, message
    assert int(found[2]) >= 2
    spoken = {json.loads(line)["text"] for line in (prepared_folder / "train.jsonl").open()}
    named = found[5].split("; ")
    assert 1 <= len(named) <= 4
    assert {text.strip("'") for text in named} <= spoken


@pytest.mark.long
@pytest.mark.usefixtures("without_wer")
def test_the_advice_on_a_loss_that_is_not_finite_can_be_taken(prepared_folder, tmp_path):
    config = configuration(prepared_folder, tmp_path / "model", steps=6, checkpoint_minutes=0)

    def at(peak):
        schedule = dataclasses.replace(config.optimizer.schedule, peak=peak, warmup=5)
        optimizer = dataclasses.replace(config.optimizer, schedule=schedule, clip_norm=1e30)
        return dataclasses.replace(config, optimizer=optimizer)

    message = refusal(at(1e30))
    assert "lower optimizer.schedule.peak or optimizer.clip_norm and run the same" in message
    assert "goes on from the checkpoint of step 1;" in message
    message = refusal(at(1e-3))  # its weights are finite, and too large for any loss
    found = re.search("checkpoint of step 1 is of no use: remove (.*) and begin anew with", message)
    shutil.rmtree(found[1])
    train(at(1e-3), quiet=True)
    assert [line["step"] for line in history(config.output)] == [3, 6]


def test_weights_that_are_not_finite_are_not_kept(prepared_folder, tmp_path, monkeypatch):
    """A gradient that is not finite leaves a finite loss behind, and weights of no use."""
    config = configuration(prepared_folder, tmp_path / "model", steps=2, checkpoint_minutes=0)
    finite = TrainedModel._gradients

    def not_finite(self, inputs, targets, weights):
        loss, gradients = finite(self, inputs, targets, weights)
        late = self.optimizer.iterations > 0
        return loss, [tf.where(late, np.nan, gradient) for gradient in gradients]

    monkeypatch.setattr(TrainedModel, "_gradients", not_finite)
    message = refusal(config)
    assert message.startswith("weights are not finite after step 2: lower optimizer.schedule.peak")
    assert message.endswith(
        "run the same command again, which goes on from the checkpoint of step 1"
    )
    monkeypatch.undo()
    optimizer = dataclasses.replace(config.optimizer, clip_norm=1.0)
    changed = dataclasses.replace(config, optimizer=optimizer, evaluate_every=None, keep="last")
    train(changed, quiet=True)


def test_poisoned_weights(float_run, prepared_folder, tmp_path):
    """The batch that is named is the first one, from the first pass."""
    config, recogniser = float_run
    shutil.copytree(config.output, tmp_path / "poisoned")
    spoilt = Recogniser.load(tmp_path / "poisoned")
    spoilt.model.get_layer("ctc_output").bias.assign(
        np.full(spoilt.tokenizer.vocab_size + 1, np.nan)
    )
    spoilt.save(tmp_path / "poisoned")
    config = configuration(
        prepared_folder, tmp_path / "out", start=str(tmp_path / "poisoned"), encoder=None
    )
    assert "loss is nan at step 1 (pass 1, batch 1: '" in refusal(config)


def test_unknown_preset(prepared_folder, tmp_path):
    config = configuration(prepared_folder, tmp_path, encoder=None, preset="XL")
    assert "'XL' is not one of tiny, S, M, L" in refusal(config)


def test_folder_of_another_vocabulary(float_run, synthetic_corpus, tmp_path):
    from asr_qat.corpora.prepare import prepare
    from asr_qat.corpora.readers.manifest import read

    config, _ = float_run
    prepare(read(synthetic_corpus), tmp_path / "bpe", 20, "bpe", quiet=True)
    other = configuration(tmp_path / "bpe", tmp_path / "out", start=config.output, encoder=None)
    assert "its vocabulary is not that of" in refusal(other)
    folder, before = PreparedFolder(tmp_path / "bpe"), Recogniser.load(config.output)
    adapted = first_recogniser(dataclasses.replace(other, adapt=True), folder)
    assert adapted.tokenizer.proto == folder.tokenizer.proto
    np.testing.assert_array_equal(adapted.mean, folder.stats.mean)
    for layer in before.model.layers:
        found = adapted.model.get_layer(layer.name)
        same = layer.name != "ctc_output"  # which has as many outputs as there are word pieces
        for ours, theirs in zip(found.weights, layer.weights, strict=True):
            assert np.array_equal(ours, theirs) == same


def test_a_front_end_is_adapted_to(float_run, tmp_path):
    config, _ = float_run
    kept = Recogniser.load(config.output)
    front_end = FrontEndConfig(log_floor=1e-3)
    shape = dataclasses.replace(kept.config, front_end=front_end)
    dataclasses.replace(kept, config=shape).save(tmp_path / "kept")
    start = configuration(config.data, tmp_path / "out", start=str(tmp_path / "kept"), encoder=None)
    folder = PreparedFolder(config.data)
    assert first_recogniser(start, folder).config.front_end == front_end
    adapted = first_recogniser(dataclasses.replace(start, adapt=True), folder)
    assert adapted.config.front_end == folder.stats.front_end == LEVELLED_FRONT_END
    assert_same_weights(adapted, kept)


def test_nothing_to_adapt(prepared_folder, tmp_path):
    with pytest.raises(UserError, match="adapt: there is no `start`"):
        configuration(prepared_folder, tmp_path, adapt=True)


def test_a_prepared_folder_of_other_content(float_run, tmp_path):
    """The same configuration: the vocabulary or the statistics are not those of the checkpoint."""
    config, _ = float_run
    shutil.copytree(config.output, tmp_path / "model")
    shutil.copytree(config.data, tmp_path / "moved")
    (tmp_path / "moved" / SUMS).unlink()
    moved = dataclasses.replace(
        config, data=str(tmp_path / "moved"), output=str(tmp_path / "model")
    )
    train(moved, quiet=True)  # the same folder in another place
    stats = json.loads((tmp_path / "moved/stats.json").read_text())
    stats["mean"][0] += 1.0
    (tmp_path / "moved/stats.json").write_text(json.dumps(stats))
    corpus = json.loads((tmp_path / "moved/corpus.json").read_text())
    del corpus["files"]  # which says that they were changed
    (tmp_path / "moved/corpus.json").write_text(json.dumps(corpus))
    assert "was trained with other statistics: " in refusal(moved)
    Tokenizer.train(["ONE TWO THREE FOUR FIVE"], 40, "bpe").save(tmp_path / "moved/tokenizer.model")
    assert "was trained with other vocabulary, statistics: " in refusal(moved)


@pytest.mark.long
@pytest.mark.usefixtures("without_wer")
def test_a_training_that_is_done_goes_on_with_more_steps(prepared_folder, tmp_path):
    """As one of as many steps from the beginning, where the schedule does not ask how many."""
    config = configuration(prepared_folder, tmp_path / "short", evaluate_every=2)
    schedule = dataclasses.replace(config.optimizer.schedule, decay="inverse_sqrt")
    optimizer = dataclasses.replace(config.optimizer, schedule=schedule)
    short = dataclasses.replace(config, optimizer=optimizer, steps=2)
    train(short, quiet=True)
    longer = dataclasses.replace(short, steps=4)
    gone_on = train(longer, quiet=True)
    assert [line["step"] for line in history(short.output)] == [2, 4]
    assert "has 4 steps: give as many or more" in refusal(short)
    whole = dataclasses.replace(longer, output=str(tmp_path / "whole"))
    assert_same_weights(gone_on, train(whole, quiet=True))


def test_checkpoints_of_another_model(float_run, tmp_path):
    config, _ = float_run
    shutil.copytree(config.output, tmp_path / "model")
    other = dataclasses.replace(
        config,
        output=str(tmp_path / "model"),
        encoder=dataclasses.replace(ENCODER, dim=8),
        steps=8,
    )
    expected = f"{tmp_path / 'model'}: was trained with other encoder: remove it or choose"
    assert expected in refusal(other)
    (tmp_path / "model/training.json").unlink()
    assert "does not fit this configuration" in refusal(other)


def test_a_start_of_another_shape(float_run, prepared_folder, tmp_path):
    config, _ = float_run
    other = dataclasses.replace(ENCODER, blocks=2)
    for shape in ({"encoder": other}, {"encoder": None, "preset": "tiny"}):
        wrong = configuration(prepared_folder, tmp_path / "x", start=config.output, **shape)
        assert "encoder: not that of" in refusal(wrong)


def test_the_shape_of_a_preset_is_remembered(float_run, prepared_folder, tmp_path):
    folder = PreparedFolder(prepared_folder)
    config = TrainConfig(data="d", output=str(tmp_path), steps=3)
    assert describe(config, folder)["encoder"] == dataclasses.asdict(PRESETS["tiny"])
    other, _ = float_run
    assert describe(dataclasses.replace(config, start=other.output), folder)["encoder"] is None


@pytest.mark.usefixtures("without_wer")
def test_a_start_with_other_dropout(float_run, prepared_folder, tmp_path):
    config, recogniser = float_run
    encoder = dataclasses.replace(ENCODER, dropout=0.3)
    schedule = dataclasses.replace(config.optimizer.schedule, peak=1e-60)  # zero in float32
    still = dataclasses.replace(config.optimizer, schedule=schedule, average=0.0)
    output = tmp_path / "more"
    changes = {"start": config.output, "encoder": encoder, "optimizer": still, "steps": 1}
    trained = train(configuration(prepared_folder, output, **changes), quiet=True)
    assert Recogniser.load(output).config.encoder == encoder
    assert_same_weights(trained, recogniser)
    layers = trained.model._flatten_layers()
    rates = {layer.rate for layer in layers if isinstance(layer, Dropout)}
    assert rates == {0.3}


@pytest.mark.slow
def test_the_fit_script(prepared_folder, tmp_path, monkeypatch, capfd):
    script = REPOSITORY / "examples/fit.py"
    assert len(script.read_text().splitlines()) <= 40
    words = [script, prepared_folder, tmp_path / "model", "5"]
    monkeypatch.setattr("sys.argv", list(map(str, words)))
    runpy.run_path(str(script), run_name="__main__")
    said = capfd.readouterr()
    assert "dev WER" in said.out
    assert "AutoGraph" not in said.err
    assert Recogniser.load(tmp_path / "model").config.quantization.precision == "w4a8"
