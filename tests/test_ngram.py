"""N-gram models: probabilities by definition, the format, and KenLM where it is installed."""

import gzip
import math
import random
from collections import Counter

import pytest

from asr_qat import cli
from asr_qat.decoding.arpa import LN_10, read_arpa, write_arpa
from asr_qat.decoding.kneser_ney import estimate
from asr_qat.decoding.language_model import (
    KENLM_BINARY,
    KenLM,
    known_spelling,
    load_language_model,
)
from asr_qat.errors import UserError

pytestmark = pytest.mark.runtime

WORDS = "A B C D E F G".split()


def sentences(count=200, seed=0):
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, range(1, 8), k=rng.randrange(1, 7))) for _ in range(count)]


def log_prob(model, sentence):
    """Natural logarithm, of a sentence with its end."""
    state, total = model.begin(), 0.0
    for word in sentence.split():
        state, gained = model.score(state, word)
        total += gained
    return total + model.end(state)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("count", [3, 200])
def test_probabilities_sum_to_one(order, count):
    """After every context: seen, unseen, of unknown words."""
    model = estimate(sentences(count), order)
    rng = random.Random(1)
    for length in (0, 1, 2, 5):
        for _ in range(10):
            state = model.begin()
            for word in rng.choices([*WORDS, "UNKNOWN"], k=length):
                state, _ = model.score(state, word)
            words = [word for (word,) in model.grams[0] if word != "<s>"]
            assert sum(math.exp(model.score(state, word)[1]) for word in words) == pytest.approx(1)


def test_a_bigram_model_by_its_definition():
    """Chen & Goodman's formulas for one word after another, with the counts of the texts."""
    rng = random.Random(3)
    words = [f"W{index}" for index in range(60)]
    weights = [1 / (index + 1) for index in range(60)]
    texts = [" ".join(rng.choices(words, weights, k=5)) for _ in range(150)]
    pairs = Counter(
        pair
        for text in texts
        for pair in zip(["<s>", *text.split()], [*text.split(), "</s>"], strict=True)
    )
    before = Counter(second for _, second in pairs)

    def discount(counts, count):
        n = Counter(counts.values())
        share = n[1] / (n[1] + 2 * n[2])
        return {1: 1 - 2 * share * n[2] / n[1], 2: 2 - 3 * share * n[3] / n[2]}.get(
            count, 3 - 4 * share * n[4] / n[3]
        )

    freed = sum(discount(before, count) for count in before.values())

    def alone(word):
        kept = before[word] - discount(before, before[word]) if before[word] else 0.0
        return (kept + freed / (len(before) + 1)) / sum(before.values())

    for counts in (pairs, before):  # enough texts to estimate the discounts
        assert all(Counter(counts.values())[count] for count in (1, 2, 3, 4))
    model = estimate(texts, 2)
    for first in ["<s>", *(word for word in before if word != "</s>")]:
        after = {pair: count for pair, count in pairs.items() if pair[0] == first}
        taken = sum(discount(pairs, count) for count in after.values())
        for word in [*before, "<unk>"]:
            count = pairs[first, word]
            kept = count - discount(pairs, count) if count else 0.0
            expected = (kept + taken * alone(word)) / sum(after.values())
            _, found = model.score((first,), word)
            assert math.exp(found) == pytest.approx(expected)


def test_what_was_written_is_read(tmp_path):
    model = estimate(sentences(), 3)
    write_arpa(tmp_path / "lm.arpa", model)
    (tmp_path / "lm.arpa.gz").write_bytes(gzip.compress((tmp_path / "lm.arpa").read_bytes()))
    for name in ("lm.arpa", "lm.arpa.gz"):
        found = load_language_model(tmp_path / name)
        assert found.order == 3
        for text in [*sentences(20, seed=5), "A X B", ""]:
            assert log_prob(found, text) == pytest.approx(log_prob(model, text), abs=1e-4)


def test_kenlm_reads_the_same(tmp_path):
    """Its scores of an ARPA file that `asr-qat ngram` wrote, and ours."""
    kenlm = pytest.importorskip("kenlm")
    model = estimate(sentences(), 3)
    write_arpa(tmp_path / "lm.arpa", model)
    theirs = kenlm.Model(str(tmp_path / "lm.arpa"))
    for text in [*sentences(50, seed=6), "A X B", "X X"]:
        assert log_prob(model, text) / LN_10 == pytest.approx(theirs.score(text), abs=1e-4)
        wrapped = KenLM(tmp_path / "lm.arpa")
        assert log_prob(wrapped, text) == pytest.approx(log_prob(model, text), abs=1e-3)
    assert wrapped.knows("A") and not wrapped.knows("X")
    (tmp_path / "cut.bin").write_bytes(KENLM_BINARY + b" 5\n")
    with pytest.raises(UserError, match="cut.bin: KenLM cannot read it"):
        load_language_model(tmp_path / "cut.bin")


def test_a_model_without_unknown_words(tmp_path):
    (tmp_path / "lm.arpa").write_text(
        "a comment\n\\data\\\nngram 1=3\nngram 2=1\n\n\\1-grams:\n-99 <s> -0.5\n-0.3\tA\t-0.25\n"
        "-0.6 </s>\n\n\\2-grams:\n-0.1 <s> A\n\n\\end\\\n"
    )
    model = read_arpa(tmp_path / "lm.arpa")
    after, found = model.score(model.begin(), "A")
    assert found / LN_10 == pytest.approx(-0.1)
    assert model.end(after) / LN_10 == pytest.approx(-0.25 - 0.6)
    assert model.score(after, "X")[1] / LN_10 == pytest.approx(-0.25 - 100)
    assert [known_spelling(model, word) for word in ("A", "a", "X")] == ["A", "A", "X"]


@pytest.mark.parametrize(
    "content, message",
    [
        ("", "ends after line 0: not a whole ARPA file"),
        ("\\data\\\nngram 2=1\n", r"line 2: expected `ngram 1=`"),
        ("\\data\\\nngram 1=1\n\n\\1-grams:\n-1 A B C\n", r"line 5: expected a number, 1 words"),
        ("\\data\\\nngram 1=1\n\n\\1-grams:\n-1 A\n-1 B\n", r"line 6: expected \\end"),
        ("\\data\\\nngram 1=2\n\n\\1-grams:\n-1 A\n-1 A\n", "1-grams that are there twice"),
        ("\\data\\\nngram 1=2\n\n\\1-grams:\n-1 A\n", "ends after line 5"),
    ],
)
def test_damaged_files(tmp_path, content, message):
    (tmp_path / "lm.arpa").write_text(content)
    with pytest.raises(UserError, match=f"lm.arpa: .*{message}"):
        read_arpa(tmp_path / "lm.arpa")


def test_files_that_are_none(tmp_path):
    with pytest.raises(UserError, match="no such language model: make one with `asr-qat ngram`"):
        load_language_model(tmp_path / "none.arpa")
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"\\data\\\nngram 1=9\n\\1-grams:\n")[:-12])
    with pytest.raises(UserError, match="cut.gz: damaged or cut short"):
        load_language_model(tmp_path / "cut.gz")
    (tmp_path / "other.arpa").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not a language model in UTF-8"):
        load_language_model(tmp_path / "other.arpa")


def test_texts_that_are_none():
    with pytest.raises(UserError, match="no words to make a language model of"):
        estimate(["", " "], 2)
    with pytest.raises(UserError, match="the word <s> is a mark"):
        estimate(["A <s> B"], 2)
    with pytest.raises(UserError, match="order is 0"):
        estimate(["A"], 0)


def test_the_command(tmp_path, capsys):
    (tmp_path / "texts.txt").write_text("hello, world\n\nhello there\n")
    words = ["ngram", "--data", str(tmp_path / "texts.txt"), "--order", "2"]
    args = cli.build_parser().parse_args([*words, "-o", str(tmp_path / "lm.arpa")])
    args.run(args)
    assert "lm.arpa: 2 sentences; n-grams by words: 6 of 1, 5 of 2" in capsys.readouterr().out
    model = read_arpa(tmp_path / "lm.arpa")
    assert model.score(("<s>",), "HELLO")[1] > model.score(("<s>",), "WORLD")[1]


@pytest.mark.parametrize(
    "name, words",
    [("plain", "HELLO THERE"), ("lower", "hello there"), ("verbatim", "Hello, There")],
)
def test_texts_go_through_the_normaliser_of_the_recogniser(tmp_path, capsys, name, words):
    texts = tmp_path / "texts.txt"
    texts.write_text("Hello, There\n")
    command = ["ngram", "--data", str(texts), "--normalizer", name, "-o", str(tmp_path / "lm.arpa")]
    args = cli.build_parser().parse_args(command)
    args.run(args)
    assert ": 1 sentence; " in capsys.readouterr().out
    model = read_arpa(tmp_path / "lm.arpa")
    assert all(model.knows(word) for word in words.split())
