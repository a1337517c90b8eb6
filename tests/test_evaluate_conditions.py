"""`tflite-export evaluate` under conditions."""

import json

import jiwer
import pytest
import soundfile

from tests.conftest import SAMPLE_RATE, utterance
from tests.tones_fixtures import tones_file
from tflite_export import cli

pytestmark = pytest.mark.runtime
WORDS = (["ONE", "TWO"], ["FIVE", "ONE", "TWO"], ["TWO"])


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """Nine utterances of three speakers, and one that cannot be read."""
    folder = tmp_path_factory.mktemp("conditions")
    lines = [{"id": "none", "audio_filepath": "none.wav", "text": "ONE", "speaker": "a"}]
    for number in range(9):
        words = WORDS[number % 3]
        soundfile.write(folder / f"{number}.wav", utterance(words, number), SAMPLE_RATE)
        line = {"audio_filepath": f"{number}.wav", "text": " ".join(words), "id": str(number)}
        lines.append(line | {"speaker": f"s{number // 3}"})
    path = folder / "test.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def evaluate(manifest, monkeypatch, capfd):
    """Run the command with these words: exit code, standard output, standard error."""

    def run(*words):
        command = ["tflite-export", "evaluate", *words, "--data", manifest, "--quiet"]
        monkeypatch.setattr("sys.argv", list(map(str, command)))
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return stopped.value.code, *capfd.readouterr()

    return run


def test_files_in_noise_beside_a_baseline(evaluate):
    ctc, transducer = tones_file("ctc"), tones_file("transducer")
    conditions = ["--noise", "white", "babble", "--snr", "30", "-25", "--gain-db", "-20", "--json"]
    code, out, err = evaluate(ctc, transducer, "--baseline", ctc, *conditions)
    assert code == 1 and "1 of 10 recordings cannot be read" in err
    found = json.loads(out)
    assert (found["utterances"], found["words"], found["left_out"], found["seed"]) == (9, 18, 1, 0)
    names = [str(ctc), str(transducer), str(ctc)]  # one name would stand for two files
    assert [file["name"] for file in found["files"]] == [str(ctc), names[0], names[1]]
    assert [file["baseline"] for file in found["files"]] == [True, False, False]
    rows = {}
    for row in found["rows"]:
        rows.setdefault(row["condition"], []).append(row)
    ratios = [f"{noise} {db} dB" for noise in ("white", "babble") for db in (30, -25)]
    assert list(rows) == ["clean", *ratios, "level -20 dB"]
    for baseline, again, other in rows.values():
        assert baseline["wer_diff"] is None and baseline["wer_diff_ci"] is None
        # The same file hears the same, so that it says the same.
        assert (again["wer_diff"], again["wer_diff_ci"]) == (0, [0, 0])
        assert again["wer"] == baseline["wer"] and again["words_changed"] == 0
        assert other["wer_diff"] == pytest.approx(other["wer"] - baseline["wer"])
        low, high = other["wer_diff_ci"]
        assert low <= other["wer_diff"] <= high
    assert rows["clean"][0]["wer"] == 0 == rows["white 30 dB"][0]["wer"]
    assert rows["white -25 dB"][0]["wer"] > 0.5
    assert (rows["babble -25 dB"][0]["noise"], rows["babble -25 dB"][0]["snr_db"]) == (
        "babble",
        -25,
    )


def test_the_table_and_the_seed(evaluate):
    run = [tones_file("ctc"), "--noise", "pink", "--snr", "30"]
    code, out, _ = evaluate(*run)
    assert evaluate(*run)[:2] == (code, out)
    title, header, clean, noisy = out.splitlines()
    assert title == (
        "test.jsonl: 9 utterances, 18 words, 1 left out, normaliser plain, noise of seed 0"
    )
    assert header.split() == ["condition", "file", "WER", "%", "[95%]"]  # there is no baseline
    assert clean.split()[:3] == ["clean", "tones_ctc.tflite", "0.00"]
    assert noisy.split()[:4] == ["pink", "30", "dB", "tones_ctc.tflite"]
    others = {evaluate(*run, "--seed", seed)[1].splitlines()[-1] for seed in (1, 2, 3)}
    assert others != {noisy}


def test_a_level_that_is_the_same_is_no_condition(evaluate):
    _, out, _ = evaluate(tones_file("ctc"), "--gain-db", "0", "6", "--dc", "0", "--json")
    assert [row["condition"] for row in json.loads(out)["rows"]] == ["clean", "level +6 dB"]


def test_noise_that_cannot_be_read_is_said_at_the_start(evaluate, tmp_path, monkeypatch):
    for name in ("a", "c"):
        soundfile.write(tmp_path / f"{name}.wav", utterance(["ONE"], 1), SAMPLE_RATE)
    (tmp_path / "b.wav").write_bytes(b"none")
    (tmp_path / "d.wav").write_bytes(b"")
    monkeypatch.setattr("tflite_export.score.conditions.score", None)  # is not reached
    code, out, err = evaluate(tones_file("ctc"), "--noise", tmp_path, "--snr", "90", "80")
    assert (code, out) == (1, "") and len(err.splitlines()) == 1
    assert f"noise {tmp_path.name}: 2 of its 4 recordings cannot be read: take them away" in err
    assert "b.wav: not readable audio" in err and "d.wav: empty file" in err
    for name in ("a", "b", "c", "d"):
        soundfile.write(tmp_path / f"{name}.wav", utterance(["ONE"], 1) * 0, SAMPLE_RATE)
    _, _, err = evaluate(tones_file("ctc"), "--noise", tmp_path)
    assert "all of its recordings are silence" in err


def test_both_passes_of_a_live_model(evaluate):
    live = tones_file("live")
    code, out, _ = evaluate(live, "--streaming", "--dc", "0.1", "--json")
    rows = json.loads(out)["rows"]
    passes = ["tones_live.tflite, first pass", "tones_live.tflite, second pass"]
    assert [(row["condition"], row["file"]) for row in rows] == [
        (condition, file) for condition in ("clean", "offset +0.1") for file in passes
    ]
    assert rows[1]["wer"] == 0


def test_clean_is_what_is_scored_without_conditions(evaluate, tmp_path):
    code, out, _ = evaluate(tones_file("transducer"), "--hypotheses", tmp_path / "said", "--json")
    lines = map(json.loads, (tmp_path / "said").read_text().splitlines())
    texts = [(line["reference"], line["hypothesis"]) for line in lines]
    alone = json.loads(out)
    assert alone["wer"] == pytest.approx(jiwer.wer(*map(list, zip(*texts, strict=True))))
    _, out, _ = evaluate(tones_file("transducer"), "--gain-db", "-3", "--json")
    first = json.loads(out)["rows"][0]
    assert [first[key] for key in ("wer", "wer_ci", "cer")] == [
        alone[key] for key in ("wer", "wer_ci", "cer")
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ctc", "transducer"], "several files: are compared under --noise"),
        (["ctc", "--snr", "3"], "--snr: of which noise: add --noise"),
        (["ctc", "--noise", "brown"], "noise brown: no such folder, and none of white, pink"),
        (["ctc", "--noise", "pink", "--snr", "1e9"], "snr: 1000000000.0 is more than 100.0"),
        (["ctc", "--noise", "pink", "--card"], "--card: is of the recordings as they are"),
        (["ctc", "--noise", "pink", "--seed", "-1"], "--seed -1: expected 0 to"),
        (["ctc", "--noise", "pink", "--widen", "4"], "no 2-bit products to widen"),
        (["ctc", "--widen", "3"], "--widen 3: expected 4, 8, no, auto"),
        (["live", "--noise", "pink"], "a live model: add --streaming"),
        (["ctc", "--noise", "pink", "--streaming"], "no live model: omit --streaming"),
    ],
)
def test_mistakes(evaluate, words, said):
    files = [tones_file(word) for word in words if word in ("ctc", "transducer", "live")]
    code, out, err = evaluate(*files, *words[len(files) :])
    assert (code, out) == (1, "") and len(err.splitlines()) == 1
    assert said in err
