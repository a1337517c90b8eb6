"""From recordings to the word error rate of a 4-bit file, by the commands alone."""

import json

import jiwer
import numpy as np
import pytest
import yaml

from asr_qat import cli
from asr_qat.audio.decode import read_audio
from asr_qat.corpora.recordings import recordings as recordings_of
from asr_qat.models.model_directory import Recogniser
from tests.export_fixtures import ENCODER
from tflite_export.runtime.recogniser import TFLiteRecogniser

pytest_plugins = ["tests.export_fixtures"]
pytestmark = pytest.mark.slow

SPLIT_SIZES = {"train": 24, "dev": 3, "test": 4}  # utterances of AN4 that are used


@pytest.fixture
def recordings(request, tmp_path):
    """Manifests of real speech, or the synthetic corpus where there is none."""
    from asr_qat.corpora.download import Unreachable
    from asr_qat.corpora.locate import locate
    from asr_qat.corpora.readers.an4 import read

    try:
        corpus = read(locate("an4", quiet=True))
    except Unreachable:
        return request.getfixturevalue("synthetic_corpus")
    folder = tmp_path / "an4"
    folder.mkdir()
    for split, size in SPLIT_SIZES.items():
        utterances = corpus.splits[split]
        lines = [
            {"id": u.id, "audio_filepath": str(u.audio_path), "text": u.text, "speaker": u.speaker}
            for u in utterances[:: len(utterances) // size][:size]
        ]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(li) + "\n" for li in lines))
    return folder


@pytest.fixture
def asr_qat(monkeypatch):
    def run(*words):
        monkeypatch.setattr("sys.argv", ["asr-qat", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        assert not stopped.value.code

    return run


def test_from_recordings_to_a_scored_file(recordings, asr_qat, tflite_export, tmp_path):
    prepared, floating, quantized = (tmp_path / n for n in ("prepared", "float", "w4a8"))
    vocabulary = ("--vocab-size", 60, "--model-type", "char")
    asr_qat(
        *("prepare", "--corpus", "manifest", "--data", recordings, "--out", prepared),
        *(*vocabulary, "--quiet"),
    )
    config = tmp_path / "train.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "data": str(prepared),
                "output": str(floating),
                "steps": 8,
                "evaluate_every": 8,
                "encoder": {name: value for name, value in vars(ENCODER).items()},
                "batches": {"batch_size": 4},
                "optimizer": {"average": 0.5, "schedule": {"peak": 0.01, "warmup": 2}},
            }
        )
    )
    asr_qat("train", "--config", config, "--quiet")
    asr_qat(
        *("quantize", "--config", config, "--model", floating, "--output", quantized),
        *("--precision", "w4a8", "--steps", 4, "--quiet"),
    )
    file = tmp_path / "model.tflite"
    assert tflite_export("convert", quantized, "-o", file, "--seconds", 3)[0] == 0
    code, out, err = tflite_export(
        *("evaluate", file, "--data", prepared, "--compare", quantized, "--json", "--quiet"),
        *("--hypotheses", tmp_path / "hypotheses.jsonl"),
    )
    assert code == 0, err
    found = json.loads(out)
    assert (found["precision"], found["method"]) == ("w4a8", "native-qat")
    rows = [json.loads(line) for line in (tmp_path / "hypotheses.jsonl").open()]
    texts = [row["hypothesis"] for row in rows]
    assert found["wer"] == pytest.approx(jiwer.wer([row["reference"] for row in rows], texts))
    assert found["utterances"] == len(rows) == len(list((prepared / "test.jsonl").open()))
    device, decoder = TFLiteRecogniser(file), Recogniser.load(quantized).decoder()
    same = []
    for item, text in zip(recordings_of(prepared), texts, strict=True):
        features = device.features(read_audio(item.audio_path))
        ours, keras = (
            device.metadata.tokenizer.decode(found.tokens)
            for found in (
                device.recognise(features),
                decoder.recognise(decoder.encode(features[None], [len(features)])[0]),
            )
        )
        assert ours == text
        same.append(keras == text)
    agreement = found["against_keras"]
    assert agreement["identical_hypotheses"] == pytest.approx(np.mean(same))
    # The windows of an utterance longer than the signature are not what Keras sees.
    assert agreement["median_logit_diff"] < 0.1
