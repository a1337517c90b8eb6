"""A normaliser goes from the preparation to the model, its file and every result."""

import dataclasses
import json

import pytest
from ai_edge_litert import schema_py_generated as schema

from asr_qat.commands import prepare as command
from asr_qat.corpora.prepare import prepare
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.corpora.readers import manifest
from asr_qat.corpora.recordings import recordings
from asr_qat.errors import UserError
from asr_qat.folder_sums import SUMS
from asr_qat.models.model_directory import Recogniser
from asr_qat.parser import Parser
from asr_qat.text import normalizers
from asr_qat.training.start import first_recogniser
from asr_qat.training.word_error_rate import Evaluator
from tests.corpus_fixtures import tone
from tests.tones_fixtures import TEXT, tones_file
from tests.training_fixtures import configuration, refusal
from tflite_export.convert.convert import metadata_of
from tflite_export.convert.serialize import attach_metadata, serialize
from tflite_export.runtime.metadata import read_metadata
from tflite_export.score.card import model_card

pytest_plugins = ["tests.tones_fixtures", "tests.export_fixtures"]

SPOKEN = ["Well, one: two!", "Dr. Three?", "Straße — four", "प्राचीन भाषा में।"]
EXPECTED = {
    "plain": {"WELL ONE TWO", "DR THREE", "STRASSE FOUR", "प्राचीन भाषा में"},
    "lower": {"well one two", "dr three", "straße four", "प्राचीन भाषा में"},
    "verbatim": set(SPOKEN),
}


def write(folder, texts=SPOKEN, split="train", **more):
    folder.mkdir(exist_ok=True)
    lines = []
    for number, text in enumerate(texts):
        tone(folder / f"{split}{number}.wav", 2.0)
        lines.append({"audio_filepath": f"{split}{number}.wav", "text": text, **more})
    path = folder / f"{split}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    for split in ("train", "dev", "test"):
        write(folder, split=split)
    return folder


@pytest.fixture(scope="module")
def prepared(corpus, tmp_path_factory):
    """The folder of each normaliser."""
    folders = {}
    for name in EXPECTED:
        out = tmp_path_factory.mktemp("prepared") / name
        prepare(manifest.read(corpus), out, 60, "char", quiet=True, normalizer=name)
        folders[name] = PreparedFolder(out)
    return folders


def texts(folder, split="train"):
    return {line["text"] for line in folder.utterances(split)}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_folder(prepared, name):
    folder = prepared[name]
    assert folder.normalizer == name and texts(folder) == EXPECTED[name]
    assert ("normalizer" in folder.corpus) == (name != "plain")
    tokenizer = folder.tokenizer
    assert {tokenizer.decode(tokenizer.encode(text)) for text in EXPECTED[name]} == EXPECTED[name]
    assert {item.text for item in recordings(folder.path)} == EXPECTED[name]


def test_the_command(corpus, tmp_path, capsys):
    parser = Parser()
    command.add_parser(parser.add_subparsers())
    out = tmp_path / "out"
    words = ["prepare", "--corpus", "manifest", "--data", str(corpus), "--out", str(out)]
    args = parser.parse_args(
        [*words, "--normalizer", "lower", "--byte-fallback", "--vocab-size", "320"]
    )
    command.run(args)
    assert "texts have no more), normaliser lower\n" in capsys.readouterr().out
    folder = PreparedFolder(out)
    assert folder.normalizer == "lower" and folder.tokenizer.byte_fallback
    with pytest.raises(UserError, match="was prepared with other normalizer"):
        prepare(manifest.read(corpus), out, 320, byte_fallback=True, quiet=True)
    with pytest.raises(UserError, match="was prepared with other byte_fallback"):
        prepare(manifest.read(corpus), out, 320, normalizer="lower", quiet=True)
    with pytest.raises(UserError, match="--byte-fallback: of a vocabulary that is trained"):
        prepare(
            manifest.read(corpus),
            tmp_path / "other",
            tokenizer=out / "tokenizer.model",
            byte_fallback=True,
        )


def test_a_text_of_which_nothing_is_left(tmp_path, caplog, monkeypatch):
    write(tmp_path, ["one two"] * 22 + ["uh", "♪ ♪"])
    monkeypatch.setattr(
        "asr_qat.corpora.shard.training_normalizer",
        lambda name: lambda text: text.upper().strip("UH♪ "),
    )
    prepare(manifest.read(tmp_path / "train.jsonl"), tmp_path / "out", 40, "char")
    skipped = PreparedFolder(tmp_path / "out").corpus["skipped"]
    reasons = {line["reason"] for line in skipped}
    assert reasons == {"no words after normalising", "no transcript"}
    assert "normaliser plain leaves nothing of 'uh'" in caplog.text


@pytest.mark.parametrize("name", EXPECTED)
def test_the_tokenizer_of_a_model_brings_it(prepared, corpus, name, tmp_path):
    tokenizer = prepared[name].path / "tokenizer.model"
    texts_of_test = manifest.read(corpus / "test.jsonl")
    prepare(texts_of_test, tmp_path / "out", tokenizer=tokenizer, quiet=True)
    assert texts(PreparedFolder(tmp_path / "out"), "test") == EXPECTED[name]
    prepare(
        texts_of_test, tmp_path / "other", tokenizer=tokenizer, quiet=True, normalizer="verbatim"
    )
    assert PreparedFolder(tmp_path / "other").normalizer == "verbatim"


@pytest.mark.parametrize("name", EXPECTED)
def test_a_model(prepared, name, tmp_path):
    folder = prepared[name]
    recogniser = first_recogniser(configuration(folder.path, tmp_path / "run"), folder)
    assert recogniser.config.normalizer == name
    recogniser.save(tmp_path / "model")
    saved = json.loads((tmp_path / "model/config.json").read_text())
    assert saved.get("normalizer") == (None if name == "plain" else name)
    loaded = Recogniser.load_without_model(tmp_path / "model")
    assert loaded.config == recogniser.config
    assert loaded.tokenizer.cased == (name == "verbatim")
    metadata = metadata_of(loaded, {})
    assert metadata.normalizer == name
    assert (b'"normalizer"' in metadata.buffers()["asr_qat.json"]) == (name != "plain")


def test_a_training_by_another_normaliser_is_refused(prepared, tmp_path):
    folder = prepared["verbatim"]
    config = configuration(folder.path, tmp_path / "run")
    first_recogniser(config, folder).save(tmp_path / "model")
    other = tmp_path / "other"
    corpus = manifest.read(write(tmp_path / "texts", ["one two"] * 12))
    tokenizer = folder.path / "tokenizer.model"
    prepare(corpus, other, tokenizer=tokenizer, quiet=True, normalizer="lower")
    config = dataclasses.replace(config, data=str(other), start=str(tmp_path / "model"))
    config = dataclasses.replace(config, encoder=None)
    said = refusal(config)
    assert said == (
        f"{other}: its texts went through the normaliser lower, those of {tmp_path / 'model'} "
        "through verbatim: prepare it with `--normalizer verbatim`"
    )


def test_words_are_counted_by_it(prepared):
    """In training: a wrong case is an error for a model of texts as they are written."""

    def wer(name, change):
        evaluator = object.__new__(Evaluator)
        evaluator._folder = prepared[name]
        evaluator._references = [line["text"] for line in prepared[name].utterances("test")]
        evaluator.hypotheses = lambda: list(map(change, evaluator._references))
        return evaluator.wer()

    assert wer("plain", str.lower) == wer("lower", str.lower) == 0
    assert wer("verbatim", str) == 0
    assert wer("verbatim", str.lower) == pytest.approx(4 / 11)  # Well, Dr. Three? Straße


def test_texts_that_have_lost_their_case(prepared):
    message = "its texts went through the normaliser lower and cannot be compared by verbatim"
    with pytest.raises(UserError, match=message):
        recordings(prepared["lower"].path, "test", "verbatim")
    found = recordings(prepared["verbatim"].path, "test", "plain")
    assert {item.text for item in found} == EXPECTED["plain"]


def test_a_damaged_name(prepared, tmp_path, corpus):
    folder = tmp_path / "out"
    prepare(manifest.read(corpus), folder, 60, "char", quiet=True)
    (folder / SUMS).unlink()
    path = folder / "corpus.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "normalizer": "mine"}))
    with pytest.raises(UserError, match=r"corpus.json: normaliser 'mine': .* one of plain"):
        PreparedFolder(folder).normalizer  # noqa: B018


def of_normalizer(kind, name, path):
    """A file whose texts are of a normaliser."""
    source = tones_file(kind)
    model = schema.ModelT.InitFromPackedBuf(bytearray(source.read_bytes()), 0)
    attach_metadata(model, dataclasses.replace(read_metadata(source), normalizer=name))
    path.write_bytes(serialize(model))
    return path


@pytest.fixture
def spoken(tones_recording, tmp_path):
    """A manifest of what the files understand."""
    path = tmp_path / "spoken.jsonl"
    text = TEXT.capitalize() + "!"
    path.write_text(json.dumps({"audio_filepath": str(tones_recording), "text": text}) + "\n")
    return path


@pytest.mark.parametrize(
    ("of_file", "asked", "used", "wer", "reference"),
    [
        ("plain", None, "plain", 0.0, TEXT),
        ("lower", None, "lower", 0.0, TEXT.lower()),
        ("verbatim", None, "verbatim", 1.0, f"{TEXT.capitalize()}!"),
        ("verbatim", "lower", "lower", 0.0, TEXT.lower()),
    ],
)
def test_a_score(tflite_export, spoken, tmp_path, of_file, asked, used, wer, reference):
    path = of_normalizer("ctc", of_file, tmp_path / "a.tflite")
    words = ("--data", spoken, "--json", "--quiet", *(("--normalizer", asked) if asked else ()))
    code, out, err = tflite_export("evaluate", path, *words)
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert (found["normalizer"], found["wer"]) == (used, wer)
    written = json.loads((tmp_path / "a.tflite.hypotheses.jsonl").read_text())
    assert written["reference"] == reference


def test_a_score_of_a_stream(tflite_export, spoken, tmp_path):
    path = of_normalizer("live", "lower", tmp_path / "a.tflite")
    code, out, _ = tflite_export("evaluate", path, "--data", spoken, "--streaming", "--quiet")
    assert code == 0 and "normaliser lower" in out


def test_a_file_tells_its_own(tflite_export, tmp_path):
    path = of_normalizer("ctc", "lower", tmp_path / "a.tflite")
    assert "| normaliser of the texts | `lower` |" in model_card(path)
    code, out, _ = tflite_export("inspect", path)
    assert code == 0 and ", normaliser lower\n" in out


def test_a_normaliser_of_the_future(tflite_export, spoken, tmp_path, tones_recording):
    path = of_normalizer("ctc", "klingon", tmp_path / "a.tflite")
    assert tflite_export("transcribe", path, tones_recording)[:2] == (0, f"{TEXT}\n")
    code, _, err = tflite_export("evaluate", path, "--data", spoken)
    assert code == 1 and "of a normaliser 'klingon': give a --normalizer of plain, lower" in err


def test_files_of_the_default_are_as_before(tmp_path):
    source = tones_file("ctc")
    path = of_normalizer("ctc", normalizers.PLAIN, tmp_path / "a.tflite")
    assert read_metadata(path).buffers() == read_metadata(source).buffers()
