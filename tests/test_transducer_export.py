"""Transducers as `.tflite` files: three kinds of signatures that compute what Keras does."""

import json

import jiwer
import numpy as np
import pytest
import soundfile

from asr_qat.corpora.recordings import recordings
from asr_qat.decoding.transducer_beam import beam_transducer
from asr_qat.decoding.transducer_greedy import greedy_transducer
from asr_qat.quantize.apply import quantized_layers
from asr_qat.quantize.dense import Dense
from asr_qat.training.quantized import post_training
from asr_qat.training.run import train
from tests.conftest import long_case
from tests.export_fixtures import FRAMES, SECONDS, noise
from tests.training_fixtures import W4, configuration
from tests.transducer_fixtures import PLAIN, optimizer
from tflite_export.convert.convert import convert, convert_recogniser
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score import evaluate
from tflite_export.score.compare import compare
from tflite_export.score.inspect import inspect
from tflite_export.score.product_equality import product_errors

pytest_plugins = [
    "tests.export_fixtures", "tests.training_fixtures", "tests.transducer_fixtures"
]  # fmt: skip
pytestmark = pytest.mark.slow

# Float activations, which float has too; another width of weights, as in CTC files.
FURTHER = [long_case("w4"), long_case("w2a8")]
UTTERANCES = [noise(198, 0), noise(61, 1)]
LSTM_STATES = {"prediction_lstm_output": [1, 16], "prediction_lstm_cell": [1, 16]}


def keras_recognition(recogniser, features):
    decoder = recogniser.decoder()
    (encoded,) = decoder.encode(features[None], [len(features)])
    return decoder.recognise(encoded)


def shapes(details) -> dict[str, list[int]]:
    return {name: list(tensor["shape"]) for name, tensor in details.items()}


def test_the_signatures(exported_transducer, transducer):
    signatures = TFLiteRecogniser(exported_transducer("w4a8")).signatures
    names = [*(f"encode_{frames}" for frames in FRAMES), "predict", "join"]
    assert sorted(signatures.names()) == sorted(names)
    joint, classes = [1, 1, 14], transducer.tokenizer.vocab_size + 1
    assert shapes(signatures.inputs("predict")) == {"label": [1, 1], **LSTM_STATES}
    assert shapes(signatures.outputs("predict")) == {"predicted": joint, **LSTM_STATES}
    assert shapes(signatures.inputs("join")) == {"encoded": joint, "predicted": joint}
    assert shapes(signatures.outputs("join")) == {"logits": [1, 1, 1, classes]}
    assert shapes(signatures.outputs("encode_198")) == {"encoded": [1, 50, 14]}


@pytest.mark.parametrize("precision", [long_case("float"), "w4a8", *FURTHER])
def test_a_file_is_its_keras_model(exported_transducer, transducer, manifest, precision):
    """What is not identical is named, with logits that lie close together."""
    items = recordings(manifest)
    device = TFLiteRecogniser(exported_transducer(precision))
    result = evaluate.run(device, items, quiet=True)
    keras = transducer if precision == "float" else post_training(transducer, precision)
    found = compare(keras, device, items, result, quiet=True)
    assert any(result.hypotheses)
    assert found.median_logit_diff <= max(1e-5, 3 * found.rounding_floor)
    if precision in ("float", "w4"):  # no activations on rounding edges
        assert found.different == ()
        assert found.max_logit_diff < 1e-3
        for features in UTTERANCES:
            expected = keras_recognition(keras, features)
            recognised = device.recognise(features)
            assert len(recognised.tokens) > 5
            assert recognised.tokens == expected.tokens
            np.testing.assert_allclose(recognised.logits, expected.logits, atol=1e-3)
    for row in found.different:
        (a, b) = row.logits.values()
        assert (a.keras - b.keras) * (a.tflite - b.tflite) <= 0  # they change order


def test_another_model_is_noticed(exported_transducer, transducer, manifest):
    items = recordings(manifest)
    device = TFLiteRecogniser(exported_transducer("float"))
    result = evaluate.run(device, items, quiet=True)
    kernel = transducer.model.get_layer("joint_output").kernel
    before = kernel.numpy()
    try:
        kernel.assign(-before)
        found = compare(transducer, device, items, result, quiet=True)
    finally:
        kernel.assign(before)
    assert found.identical_hypotheses == 1 - len(found.different) / len(items) < 1
    assert found.max_logit_diff > 0.1
    for row in found.different:
        assert row.keras != row.tflite
        assert len(row.logits) == 2


@pytest.mark.parametrize(
    ("precision", "width"),
    [("w4a8", "4"), long_case("w4", "4"), long_case("w2a8", "2")],
)
def test_every_product_has_the_width(exported_transducer, transducer, precision, width):
    """Embedding, recurrence and output of the joint network too."""
    found = inspect(exported_transducer(precision))
    assert found.weight_widths["dense"][width] == 1
    assert not found.custom_operators
    assert "GATHER" not in found.operators["predict"]
    dense = {layer.name for layer in transducer.model.layers if isinstance(layer, Dense)}
    assert dense <= found.bytes_by_layer.keys()
    assert {"prediction_embedding", "prediction_lstm", "joint_output"} <= dense
    inputs, outputs = transducer.model.get_layer("prediction_lstm").kernel.shape
    assert found.bytes_by_layer["prediction_lstm"] == inputs * outputs * int(width) // 8


@pytest.mark.parametrize(
    "precision", [long_case("w4a8"), "two_bit_all", long_case("w1a8"), *FURTHER]
)
def test_every_product_is_equal(exported_transducer, transducer, precision):
    quantized = post_training(transducer, precision)
    rows = product_errors(exported_transducer(precision), quantized, UTTERANCES)
    assert {row.layer for row in rows} == quantized_layers(quantized.model).keys()
    for row in rows:
        assert row.max_error < 1e-5, row
        assert row.rows > 0, row


@pytest.mark.parametrize(
    "layer",
    [
        long_case("prediction_embedding"),
        "prediction_lstm",
        long_case("joint_output"),
    ],
)
def test_another_kernel_is_noticed(exported_transducer, transducer, layer):
    perturbed = post_training(transducer, "w4a8")
    kernel = quantized_layers(perturbed.model)[layer].kernel
    kernel.assign(kernel[::-1])  # the same scales
    for row in product_errors(exported_transducer("w4a8"), perturbed, UTTERANCES[1:]):
        if row.layer == layer:
            assert row.max_error > 0.1
        else:
            assert row.max_error < 1e-5, row


def test_windows_of_long_utterances(exported_transducer):
    """Encoded frames are those of one window, and the search goes through all of them."""
    device = TFLiteRecogniser(exported_transducer("float"))
    features = noise(555)
    encoded = device.encode(features)
    assert encoded.shape == (139, 14)
    start = device.encode(features[:198])[:37]  # a quarter of the window is context
    np.testing.assert_array_equal(encoded[: len(start)], start)
    found = device.recognise(features)
    lengths = np.array([139])
    assert greedy_transducer(device.steps, encoded[None], lengths) == [found.tokens]
    blanks = np.sum(found.logits.argmax(-1) == device.metadata.tokenizer.blank)
    assert len(found.logits) == blanks + len(found.tokens)
    assert len(found.tokens) > len(device.recognise(features[:198]).tokens)


def test_beam_search_is_that_of_keras(exported_transducer, transducer):
    device = TFLiteRecogniser(exported_transducer("float"))
    decoder = transducer.decoder()
    for features in UTTERANCES:
        found = device.beam_search(features, beam=4, nbest=3)
        encoded = decoder.encode(features[None], [len(features)])
        lengths = np.array([encoded.shape[1]])
        (expected,) = beam_transducer(decoder, encoded, lengths, 4, nbest=3)
        assert [h.tokens for h in found] == [h.tokens for h in expected]
        np.testing.assert_allclose([h.score for h in found], [h.score for h in expected], rtol=1e-4)


def test_less_than_one_frame(exported_transducer):
    device = TFLiteRecogniser(exported_transducer("w4a8"))
    assert device.transcribe(np.zeros(399, np.float32)) == ""
    empty = device.features(np.zeros(399, np.float32))
    assert device.recognise(empty).logits.shape == (0, device.metadata.tokenizer.vocab_size + 1)
    assert [h.tokens for h in device.beam_search(empty, beam=2)] == [()]


def test_commands(
    tflite_export, exported_transducer, transducer, manifest, synthetic_corpus, tmp_path
):
    path = tmp_path / "model.tflite"
    transducer.save(tmp_path / "model")
    words = ("--precision", "w4a8", "-o", path, "--seconds", *SECONDS)
    assert tflite_export("convert", tmp_path / "model", *words)[0] == 0
    assert path.read_bytes() == exported_transducer("w4a8").read_bytes()

    audio = sorted((synthetic_corpus / "test").glob("*.wav"))
    device = TFLiteRecogniser(path)
    texts = [device.transcribe(soundfile.read(a, dtype="float32")[0]) for a in audio]
    code, out, _ = tflite_export("transcribe", path, *audio)
    assert code == 0
    lines = [f"{a}\t{text}" for a, text in zip(audio, texts, strict=True)]
    assert out.splitlines() == lines

    words = ("--data", manifest, "--json", "--quiet", "--compare", tmp_path / "model")
    code, out, err = tflite_export("evaluate", path, *words)
    assert code == 0, err
    found = json.loads(out)
    references = [item.text for item in recordings(manifest)]
    assert found["wer"] == pytest.approx(jiwer.wer(references, texts))
    agreement = found["against_keras"]
    other = {row["id"]: row["tflite"] for row in agreement["different"]}
    assert agreement["identical_hypotheses"] == pytest.approx(1 - len(other) / len(texts))
    items = recordings(manifest)
    assert all(other.get(item.id, text) == text for item, text in zip(items, texts, strict=True))

    code, out, _ = tflite_export("inspect", path, "--json")
    assert code == 0
    assert set(json.loads(out)["operators"]) >= {"encode_98", "predict", "join", "total"}


def test_commands_with_a_beam(
    tflite_export, exported_transducer, manifest, synthetic_corpus, tmp_path
):
    path = exported_transducer("w4a8")
    audio = sorted((synthetic_corpus / "test").glob("*.wav"))
    device = TFLiteRecogniser(path)
    lists = [
        device.beam_search(device.features(soundfile.read(a, dtype="float32")[0]), 4, nbest=4)
        for a in audio
    ]
    decode = device.metadata.tokenizer.decode
    texts = [decode(list(nbest[0].tokens)) for nbest in lists]

    code, out, err = tflite_export("transcribe", path, *audio, "--beam", "4")
    assert code == 0, err
    assert out.splitlines() == [f"{a}\t{text}" for a, text in zip(audio, texts, strict=True)]

    code, out, err = tflite_export("transcribe", path, audio[0], "--beam", "4", "--nbest")
    assert code == 0, err
    lines = [line.split("\t") for line in out.splitlines()]
    assert [line[0] for line in lines] == ["1", "2", "3", "4"]
    for (_, score, of_label, text), hypothesis in zip(lines, lists[0], strict=True):
        assert float(score) == pytest.approx(hypothesis.score, abs=1e-3)
        mean = hypothesis.score / (1 + len(hypothesis.tokens))
        assert float(of_label) == pytest.approx(mean, abs=1e-3)
        assert text == decode(list(hypothesis.tokens))

    written = tmp_path / "hypotheses.jsonl"
    words = ("--data", manifest, "--json", "--quiet", "--beam", "4", "--hypotheses", written)
    code, out, err = tflite_export("evaluate", path, *words)
    assert code == 0, err
    references = [item.text for item in recordings(manifest)]
    assert json.loads(out)["wer"] == pytest.approx(jiwer.wer(references, texts))
    rows = [json.loads(line) for line in written.read_text().splitlines()]
    assert [row["hypothesis"] for row in rows] == texts
    assert texts != [device.transcribe(soundfile.read(a, dtype="float32")[0]) for a in audio]


def test_refused_beams(tflite_export, exported, exported_transducer, manifest, synthetic_corpus):
    (audio, *_) = (synthetic_corpus / "test").glob("*.wav")
    path = exported_transducer("w4a8")

    def refusal(*words):
        code, out, err = tflite_export(*words)
        assert code == 1
        assert out == ""
        (line,) = err.splitlines()
        return line.removeprefix("tflite-export: error: ")

    for command in (("transcribe", path, audio), ("evaluate", path, "--data", manifest)):
        for word in ("0", "x", "-1", "1.5"):
            expected = f"--beam {word}: expected a number from 1 up"
            assert refusal(*command, f"--beam={word}") == expected
    message = refusal("transcribe", path, audio, "--nbest")
    assert message == "--nbest: the hypotheses of a beam search: add --beam 8"
    words = ("--data", manifest, "--quiet", "--beam", "4")
    message = refusal("evaluate", path, *words, "--compare", "model")
    assert message == "--compare: follows the greedy search: omit --beam, --lm and --hotwords"


def test_an_ngram(ngram_transducer, tmp_path):
    """Its state is one tensor, and the CTC head of the training is left out."""
    path = tmp_path / "ngram.tflite"
    path.write_bytes(convert_recogniser(ngram_transducer, "w4a8", SECONDS[:1]))
    device = TFLiteRecogniser(path)
    assert [part.shape for part in device.steps.initial_state(1)] == [(1, 2 * 12)]
    quantized = post_training(ngram_transducer, "w4a8")
    rows = product_errors(path, quantized, [noise(98)])
    names = quantized_layers(quantized.model).keys() - {"ctc_output"}
    assert {row.layer for row in rows} == names
    assert "prediction_ngram" in names
    assert max(row.max_error for row in rows) < 1e-5
    found = inspect(path)
    assert found.weight_widths["dense"]["4"] == 1
    assert not found.custom_operators
    assert "ctc_output" not in found.bytes_by_layer


@pytest.mark.long
def test_from_audio_to_the_word_error_rate_of_four_bits(
    transducer_run, prepared_folder, tflite_export, tmp_path
):
    started, _ = transducer_run
    config = configuration(
        prepared_folder,
        tmp_path / "w4a8",
        start=started.output,
        encoder=None,
        quantization=W4,
        steps=20,
        evaluate_every=20,
        batches=PLAIN,
        optimizer=optimizer(0.002),
    )
    quantized = train(config, quiet=True)
    assert quantized.config.transducer == started.transducer
    assert quantized.config.quantization == W4
    path = tmp_path / "model.tflite"
    convert(config.output, path, seconds=(2.0,))
    code, out, err = tflite_export(
        *("evaluate", path, "--data", prepared_folder, "--compare", config.output),
        *("--json", "--quiet"),
    )
    assert code == 0, err
    found = json.loads(out)
    assert (found["precision"], found["method"]) == ("w4a8", "native-qat")
    assert found["wer"] <= 0.2
    agreement = found["against_keras"]
    different = len(agreement["different"])
    assert different <= 1  # of three: activations may be on a rounding edge
    assert agreement["identical_hypotheses"] == pytest.approx(1 - different / 3)
    assert inspect(path).weight_widths["dense"]["4"] == 1
    device, items = TFLiteRecogniser(path), recordings(prepared_folder)
    searched = evaluate.run(device, items, quiet=True, beam=3)
    assert jiwer.wer([item.text for item in items], searched.hypotheses) <= 0.2
