"""The assignment of precisions: exact, within the budget, and readable by a training."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_qat import cli
from asr_qat.config import load_yaml
from asr_qat.errors import UserError
from asr_qat.models.ctc import build_ctc
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.summary import summarize, total
from asr_qat.quantize.apply import QuantizationConfig, quantize_model
from asr_qat.quantize.mixture import write_mixture
from experiments.sensitivity.assignment import Choice, assign, budget_bytes, cheapest, uniform
from experiments.sensitivity.layer_sensitivity import LayerSensitivity, Sensitivity

SMALL = EncoderConfig(2, dim=12, heads=2, feed_forward=20, kernel=3, subsampling=6)
PRECISIONS = ("w8a8", "w4a8", "w2a8")


@pytest.fixture(scope="module")
def model():
    return build_ctc(SMALL, 8)


@pytest.fixture(scope="module")
def sensitivity(model) -> Sensitivity:
    """Bytes of a model, and divergences that grow from layer to layer and with each width."""
    sizes = {
        name: {row.name: row.bytes for row in summarize(model, QuantizationConfig(name))}
        for name in ("float", *PRECISIONS)
    }
    layers = [name for name, size in sizes["float"].items() if size != sizes["w8a8"][name]]
    rows = tuple(
        LayerSensitivity(layer, name, sizes[name][layer], 0.0, divergence * (1 + index))
        for index, layer in enumerate(layers)
        for name, divergence in zip(PRECISIONS, (0.01, 0.3, 1.0), strict=True)
    )
    whole = sum(sizes["float"].values())
    return Sensitivity(1.0, 3, whole, whole - sum(sizes["float"][n] for n in layers), rows)


COSTS = st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(0, 10))
ITEMS = st.lists(
    st.lists(st.tuples(st.integers(0, 12), COSTS), min_size=1, max_size=3), min_size=1, max_size=5
)


@given(ITEMS, st.integers(0, 60))
def test_the_cheapest_is_that_of_all_combinations(items, budget):
    choices = {
        f"item {i}": {f"choice {j}": Choice(*pair) for j, pair in enumerate(own)}
        for i, own in enumerate(items)
    }
    combinations = [
        (sum(cost for _, cost in pairs), sum(size for size, _ in pairs))
        for pairs in itertools.product(*items)
    ]
    within = [pair for pair in combinations if pair[1] <= budget]
    found = cheapest(choices, budget)
    if not within:
        assert found is None
        return
    assert found is not None
    assert list(found) == list(choices)
    picked = [choices[item][choice] for item, choice in found.items()]
    assert sum(choice.bytes for choice in picked) <= budget
    assert sum(choice.cost for choice in picked) == pytest.approx(min(within)[0], abs=1e-9)


def test_among_equals_the_one_of_fewest_bytes():
    choices = {"a": {"big": Choice(8, 1.0), "small": Choice(2, 1.0)}, "b": {"only": Choice(1, 0.0)}}
    assert cheapest(choices, 100) == {"a": "small", "b": "only"}


def test_many_layers_of_few_shapes():
    """As many as a large model has: the sums of bytes repeat, so it stays fast."""
    sizes = [1024 * 1024 if i % 3 else 512 * 512 for i in range(300)]
    choices = {
        str(i): {str(w): Choice(n * w // 8, n * 2.0**-w / (1 + i % 50)) for w in (8, 4, 2)}
        for i, n in enumerate(sizes)
    }
    found = cheapest(choices, sum(sizes) // 2)
    assert found is not None
    assert sum(choices[i][w].bytes for i, w in found.items()) <= sum(sizes) // 2
    assert set(found.values()) == {"8", "4", "2"}


@pytest.mark.parametrize("budget", ["w8a8", "w4a8", "2.7x", "3x", 9000])
def test_the_bytes_are_those_of_the_summary(model, sensitivity, budget):
    found = assign(sensitivity, budget)
    limit = budget_bytes(sensitivity, budget)
    config = QuantizationConfig("w2a8", overrides=found.overrides)
    assert total(summarize(model, config)).bytes == found.bytes <= limit
    assert found.ratio == total(summarize(model)).bytes / found.bytes


def test_a_budget_of_a_uniform_precision_gives_no_more_expected_loss(sensitivity):
    for name in PRECISIONS:
        assert assign(sensitivity, name).divergence <= uniform(sensitivity, name).divergence
    mixed = assign(sensitivity, "w4a8")
    assert mixed.bytes <= uniform(sensitivity, "w4a8").bytes
    assert mixed.divergence < uniform(sensitivity, "w4a8").divergence
    assert set(assign(sensitivity, "w8a8").precisions.values()) == {"w8a8"}
    assert set(assign(sensitivity, "w2a8").precisions.values()) == {"w2a8"}


def test_a_policy_is_a_budget(model, sensitivity):
    expected = total(summarize(model, QuantizationConfig("two_bit"))).bytes
    assert budget_bytes(sensitivity, "two_bit") == expected
    precisions = uniform(sensitivity, "two_bit").precisions
    assert precisions["block_00_conv_expand"] == "w4a8"
    assert precisions["ctc_output"] == "w8a8"


def test_budgets_in_words(sensitivity):
    assert budget_bytes(sensitivity, "5x") == sensitivity.float_bytes // 5
    assert budget_bytes(sensitivity, "7.5x") == int(sensitivity.float_bytes / 7.5)
    assert budget_bytes(sensitivity, "12,345") == budget_bytes(sensitivity, 12345) == 12345


@pytest.mark.parametrize(
    ("budget", "line"),
    [
        ("1000", r"budget 1000: 1,000 bytes are not enough: the least with these .* are [\d,]+ \("),
        ("90x", "budget 90x: "),
        ("w4", "^w4: w4 was not measured: there are w8a8, w4a8, w2a8$"),
        *(
            (word, f"^budget {word}: expected bytes, a ratio to float32 such as 5x, or a prec")
            for word in ("five", "0x", "0.0x", "-5", "-5x")
        ),
    ],
)
def test_what_is_no_budget(sensitivity, budget, line):
    with pytest.raises(UserError, match=line):
        assign(sensitivity, budget)


def test_the_least_possible_is_possible(sensitivity):
    with pytest.raises(UserError) as caught:
        assign(sensitivity, 1)
    least = int(str(caught.value).split(" are ")[2].split()[0].replace(",", ""))
    assert assign(sensitivity, least).bytes == least
    with pytest.raises(UserError):
        assign(sensitivity, least - 1)


def test_a_mixture_in_a_configuration_file(tmp_path, model, sensitivity):
    found = assign(sensitivity, "w4a8")
    write_mixture(tmp_path / "mixture.yaml", found.overrides, "of a test\nin two lines")
    path = tmp_path / "quantization.yaml"
    path.write_text(
        f"overrides_from: {tmp_path}/mixture.yaml\noverrides: {{^ctc_output$: float}}\n"
    )
    config = load_yaml(path, QuantizationConfig)
    assert config == QuantizationConfig(overrides={**found.overrides, "^ctc_output$": "float"})
    assert next(iter(config.overrides)) == "^ctc_output$"  # the first match wins
    assert config.overrides_from is None  # a saved model does not need the file
    precision = config.registry().precision
    assert precision("ctc_output") is None
    for layer, name in found.precisions.items():
        assert layer == "ctc_output" or precision(layer).name == name


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (None, "mixture.yaml: no such configuration file"),
        ("overides: {}", "mixture.yaml: unknown key 'overides': did you mean 'overrides'"),
        ("overrides: {a: w5}", "mixture.yaml: precision 'w5': expected"),
        ("overrides: {'(': w4a8}", "mixture.yaml: overrides: '\\(' is not a regular expression"),
        ("[1]", "mixture.yaml: expected keys and values"),
    ],
)
def test_a_mixture_file_that_is_none(tmp_path, content, line):
    path = tmp_path / "mixture.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=line):
        QuantizationConfig(overrides_from=str(path))


def test_a_mixture_of_another_model(tmp_path, sensitivity):
    path = tmp_path / "mixture.yaml"
    write_mixture(path, assign(sensitivity, "w4a8").overrides, "")
    other = build_ctc(EncoderConfig(1, 8, 2, None, 8, 3, 4), 3)
    with pytest.raises(UserError, match=r"'\^block_01_ffn1_expand\$' matches no layer"):
        quantize_model(other, QuantizationConfig(overrides_from=str(path)))


def as_file(sensitivity, path):
    rows = [vars(row) for row in sensitivity.rows]
    path.write_text(json.dumps({**vars(sensitivity), "rows": rows, "model": "x"}))
    return path


def command(monkeypatch, capsys, *words):
    monkeypatch.setattr("sys.argv", ["asr-qat", "assign", *map(str, words)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return stopped.value.code, *capsys.readouterr()


def test_the_command(monkeypatch, capsys, tmp_path, sensitivity):
    file, out = as_file(sensitivity, tmp_path / "s.json"), tmp_path / "mixture.yaml"
    words = ("--sensitivity", file, "--budget", "w4a8", "--out", out)
    code, printed, _ = command(monkeypatch, capsys, *words)
    assert code == 0
    found = assign(sensitivity, "w4a8")
    assert QuantizationConfig(overrides_from=str(out)).overrides == found.overrides
    last = printed.splitlines()[-1].split()
    assert last[:3] == ["mixture", f"{found.bytes:,}", f"{found.ratio:.2f}"]
    assert [line.split()[:2] for line in printed.splitlines()[1:-1]] == [
        ["all", name] for name in PRECISIONS
    ]
    assert command(monkeypatch, capsys, *words, "--quiet")[:2] == (0, "")


def test_what_the_command_refuses(monkeypatch, capsys, tmp_path, sensitivity):
    file, out = tmp_path / "s.json", tmp_path / "mixture.yaml"

    def refused(budget="w4a8"):
        words = ("--sensitivity", file, "--budget", budget, "--out", out)
        code, _, said = command(monkeypatch, capsys, *words)
        assert code == 1
        assert not out.exists()
        return said.splitlines()[-1]

    assert refused() == f"asr-qat: error: {file}: no such file"
    file.write_text("{")
    assert "not valid JSON" in refused()
    for content in ("[]", '{"rows": []}'):
        file.write_text(content)
        assert refused().startswith(f"asr-qat: error: {file}: not from `asr-qat sensitivity`")
    content = json.loads(as_file(sensitivity, file).read_text())
    file.write_text(json.dumps({**content, "rows": content["rows"][:-1]}))
    assert "damaged (rows are missing)" in refused()
    as_file(sensitivity, file)
    assert "bytes are not enough" in refused("100x")
