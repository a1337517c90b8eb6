"""What preparation says of a corpus: symbols that are dropped, audio that splits share."""

import shutil

import pytest
import soundfile

from asr_qat.corpora.prepare import Part, prepare
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.corpora.readers import manifest
from asr_qat.corpora.symbols import SHOWN, sentence
from asr_qat.text.normalizers import OF_TRAINING, training_normalizer
from asr_qat.text.symbols import dropped_symbols
from tests.prepare_fixtures import add, entry, record, run

pytest_plugins = ["tests.prepare_fixtures"]


@pytest.mark.parametrize(
    ("text", "dropped"),
    [
        ("Well, “yes”; no? (Perhaps!) I’m – so-so…", {}),
        ("5 % of £3.50 & more, 50% off", {"%": 2, "£": 1, "&": 1}),
        ("½ cup™, 20 ℃, x² ¼", {"°": 1, "⁄": 2}),  # NFKC takes them apart
        ("a/b a@b #1 C++ 🙂", {"/": 1, "@": 1, "#": 1, "+": 2, "🙂": 1}),
    ],
)
def test_symbols_that_plain_drops(text, dropped):
    assert dropped_symbols(text, training_normalizer("plain")(text)) == dropped
    assert not dropped_symbols(text, training_normalizer("verbatim")(text))


def test_dropped_symbols_are_said_once_and_kept(corpus, tmp_path):
    for number, text in enumerate(["UP 5 % & MORE", "50% OFF", "PLAIN, WORDS!"]):
        record(corpus / f"more{number}.wav", 2.0, seed=40 + number)
        add(corpus, "train", entry(f"more{number}.wav", text))
    one = run(corpus, tmp_path / "one").corpus["dropped_symbols"]
    three = run(corpus, tmp_path / "three", shards=3).corpus["dropped_symbols"]
    assert list(one) == ["%", "&"] and one["&"]["example"] == "UP 5 % & MORE"
    assert {symbol: facts["times"] for symbol, facts in one.items()} == {"%": 2, "&": 1}
    assert one == three
    assert sentence(one, "plain").startswith(
        "normaliser plain drops symbols that may be spoken (% 2, & 1), such as in "
    )
    verbatim = run(corpus, tmp_path / "verbatim", normalizer="verbatim").corpus
    assert "dropped_symbols" not in verbatim


def test_a_sentence_of_many_symbols():
    many = {chr(0x2200 + i): {"times": 9000 - i, "example": "X" * 100} for i in range(SHOWN + 1)}
    said = sentence(many, OF_TRAINING[0])
    assert "∀ 9,000, " in said and ", ...)" in said and len(said) < 300


def test_nothing_is_said_of_clean_texts(corpus, tmp_path, caplog):
    facts = run(corpus, tmp_path / "out", quiet=False).corpus
    assert not caplog.messages and not {"dropped_symbols", "overlaps"} & facts.keys()


def test_equal_audio_under_other_names_is_said(corpus, tmp_path, caplog):
    """Also in another container, in another shard, and by machines that write parts."""
    shutil.copy(corpus / "train3.wav", corpus / "other.wav")
    soundfile.write(corpus / "again.flac", *soundfile.read(corpus / "train7.wav", dtype="int16"))
    add(corpus, "test", entry("other.wav", "ONE"), entry("again.flac", "TWO", id="x"))
    options = {"vocab_size": 40, "model_type": "char", "shards": 3}
    for index in range(3):
        prepare(manifest.read(corpus), tmp_path / "out", **options, part=Part(index, 3))
    assert not caplog.messages  # no machine has seen all shards
    run(corpus, tmp_path / "out", shards=3, merge=True, quiet=False)
    (said,) = caplog.messages
    head, _, pairs = said.partition("names: ")
    assert head == "manifest: train and test share 2 recordings under other "
    assert set(pairs.split(", ")) == {"train3 is other", "train7 is x"}
    kept = PreparedFolder(tmp_path / "out").corpus["overlaps"]
    assert kept == [said.removeprefix("manifest: ")]


def test_a_recording_of_two_splits_under_its_own_name_is_said_once(corpus, tmp_path, caplog):
    add(corpus, "test", entry("train3.wav", "ONE", id="same"))
    facts = run(corpus, tmp_path / "out", quiet=False).corpus
    (said,) = caplog.messages
    assert said == f"manifest: {facts['overlaps'][0]}"
    assert said.startswith("manifest: train and test share 1 recording: ")
