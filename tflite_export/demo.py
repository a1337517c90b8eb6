"""The main job: quantization aware training of a shipped float model, and the proof.

Float32, int8 and int4 after training, and int4 trained natively: each exported to a
`.tflite`, scored in LiteRT on the test set, and compared with its Keras model.
"""

import contextlib
import dataclasses
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from asr_qat import files
from asr_qat.audio.decode import read_audio
from asr_qat.config import load_yaml
from asr_qat.corpora.fallback import read_corpus
from asr_qat.corpora.prepare import prepare
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.corpora.utterance import Utterance
from asr_qat.errors import UserError
from asr_qat.models.model_directory import TOKENIZER, WEIGHTS, Recogniser, weights_checksum
from asr_qat.provenance import provenance
from asr_qat.quantize.post_training import post_training
from asr_qat.quantize.precision import FLOAT
from asr_qat.training.config import TrainConfig
from asr_qat.training.run import train
from tflite_export import evaluate, report
from tflite_export.compare import compare
from tflite_export.convert import convert_recogniser
from tflite_export.product_equality import product_errors
from tflite_export.recogniser import TFLiteRecogniser
from tflite_export.wer_size_plot import plot_wer_against_size

ROOT = Path(__file__).resolve().parent.parent
SECONDS = (4.0, 8.0)  # signatures: no test utterance of AN4 is longer, few of Asterisk are
PRODUCT_UTTERANCES = 10  # of one window, that the products are compared on
PRODUCT_BAR = 1e-5
NOTICE = {
    "asterisk": "One professional speaker, telephone prompts, and test strings that are partly "
    "composed from single words: a check of the tools, not a measure of speech recognition."
}


@dataclasses.dataclass(frozen=True)
class Variant:
    """One row of the demo."""

    name: str
    file: str
    precision: str


TRAINED = Variant("int4 native QAT", "int4_qat.tflite", "w4a8")
VARIANTS = (
    Variant("float32", "float32.tflite", FLOAT),
    Variant("int8 post-training", "int8_ptq.tflite", "w8a8"),
    Variant("int4 post-training", "int4_ptq.tflite", "w4a8"),
    TRAINED,
)


def demo(
    data: str | None = None,
    work: str | Path = "work/demo",
    results: str | Path = "results",
    corpus: str = "an4",
    threads: int = 1,
    quiet: bool = False,
) -> dict[str, Any]:
    """Run the demo and write `demo.json`, `equality.json`, table, plot and page.

    Args:
        data: where the corpus lies, if not in a known place.
        work: folder for the prepared corpus, the models and the `.tflite` files. What is
            finished there is not done again.
        results: folder for the results.
        corpus: `an4`, replaced by `asterisk` where it is out of reach, or `asterisk`.
        threads: CPU threads of the interpreter.
        quiet: no progress.

    Returns:
        The content of `demo.json`.

    Raises:
        UserError: no corpus, or no float model for it.
    """
    work, results = Path(work), Path(results)
    seconds: dict[str, float] = {}
    with _timed("prepare", seconds, quiet):
        source = read_corpus(corpus, data, quiet)
        name = source.name
        start = _float_model(name, work)
        prepared = work / f"{name}_prepared"
        prepare(source, prepared, tokenizer=start / TOKENIZER, quiet=quiet)
        folder = PreparedFolder(prepared)
    config_path = ROOT / "configs" / f"{name}_tiny_w4a8.yaml"
    config = load_yaml(config_path, TrainConfig)
    config = dataclasses.replace(
        config, data=str(folder.path), start=str(start), output=str(work / f"{name}_tiny_w4a8")
    )
    with _timed("quantization aware training", seconds, quiet):
        trained = train(config, quiet)
    float_model = Recogniser.load(start)

    items = evaluate.recordings(folder.path)
    rows: list[dict[str, Any]] = []
    equality: dict[str, Any] = {}
    baseline = None
    for variant in VARIANTS:
        with _timed(variant.name, seconds, quiet):
            path = work / name / variant.file
            origin = trained if variant is TRAINED else float_model
            files.write_bytes(path, convert_recogniser(origin, variant.precision, SECONDS))
            device = TFLiteRecogniser(path, threads)
            result = evaluate.run(device, items, quiet)
            evaluate.write_hypotheses(f"{path}.hypotheses.jsonl", items, result.hypotheses)
            keras = _keras_model(origin, device)
            agreement = compare(keras, device, items, result, quiet)
            baseline = baseline or result
            rows.append(_row(variant.name, device, items, result, baseline, agreement))
            if variant is TRAINED:
                equality = _equality(keras, device, items, agreement)
    for row in rows:
        row["ratio"] = rows[0]["bytes"] / row["bytes"]
    rows[0]["wer_diff_ci"] = None  # float32 against itself
    content = {
        "rows": rows,
        "corpus": _describe(folder, rows[0]),
        "training": {"start": start.name, "config": config_path.name, "steps": config.steps},
        "seconds": seconds,
        **provenance(config.seed),
    }
    _write(results, name, content, equality)
    return content


def _float_model(corpus: str, work: Path) -> Path:
    """The shipped model of a corpus.

    Raises:
        UserError: there is none, or `work` holds what was made of another one.
    """
    path = ROOT / "models" / f"{corpus}_tiny_float"
    if not (path / WEIGHTS).is_file():
        raise UserError(
            f"{path}: no float model for the corpus {corpus}: "
            f"train one (make reproduce-{corpus}) and copy it there from work/"
        )
    checksum = weights_checksum(path)
    begun = work / f"{corpus}_float.sha256"
    if begun.is_file() and files.read_text(begun) != checksum:
        raise UserError(f"{work}: was made from another {path.name}: remove it, or choose --work")
    files.write_text(begun, checksum)
    return path


def _keras_model(source: Recogniser, device: TFLiteRecogniser) -> Recogniser:
    """The Keras model with the file's arithmetic."""
    if device.metadata.method == "ptq":
        return post_training(source, device.metadata.precision)
    return source


def _row(
    name: str,
    device: TFLiteRecogniser,
    items: list[Utterance],
    result: evaluate.Run,
    baseline: evaluate.Run,
    agreement: dict[str, Any],
) -> dict[str, Any]:
    """What the table says of one file; `agreement` with its Keras model as `compare` gives it."""
    longest = float(result.audio_seconds.max())
    return {
        "name": name,
        **evaluate.describe(device),
        **evaluate.summarize(result, items, device.threads),
        **evaluate.difference(result, baseline, items),
        **{k: v for k, v in agreement.items() if k != "different"},
        "peak_rss_mb": evaluate.peak_rss_mb(device.path, longest, device.threads),
    }


def _equality(
    keras: Recogniser, device: TFLiteRecogniser, items: list[Utterance], agreement: dict[str, Any]
) -> dict[str, Any]:
    """How equal a file is to its Keras model, product by product and as a whole."""
    rate = device.metadata.front_end.sample_rate
    heard = (device.features(read_audio(item.audio_path, rate)) for item in items)
    whole = (features for features in heard if len(features) <= device.lengths[-1])
    chosen = list(itertools.islice(whole, PRODUCT_UTTERANCES))
    return {
        "products": product_errors(device.path, keras, chosen),
        "bar": PRODUCT_BAR,
        "model": {
            "utterances": len(items),
            "identical": len(items) - len(agreement["different"]),
            **{k: agreement[k] for k in ("median_logit_diff", "max_logit_diff", "rounding_floor")},
            "different": agreement["different"],
        },
    }


def _describe(folder: PreparedFolder, row: dict[str, Any]) -> dict[str, Any]:
    corpus = folder.corpus
    return {
        **{key: corpus[key] for key in ("name", "description", "licence")},
        "utterances": row["utterances"],
        "words": row["words"],
        "notice": NOTICE.get(corpus["name"]),
    }


def result_suffix(corpus: str) -> str:
    """Of the result files: none for AN4, the corpus's name for another."""
    return "" if corpus == "an4" else f"_{corpus}"


def _write(results: Path, name: str, content: dict, equality: dict) -> None:
    suffix = result_suffix(name)
    files.write_json(results / f"demo{suffix}.json", content)
    files.write_json(results / f"equality{suffix}.json", {**equality, **provenance()})
    files.write_text(results / f"demo{suffix}.md", report.markdown_table(content) + "\n")
    plot_wer_against_size(content, results / f"demo{suffix}.png")
    report.html_report(content, equality, results / f"demo{suffix}.html")


@contextlib.contextmanager
def _timed(step: str, seconds: dict[str, float], quiet: bool) -> Iterator[None]:
    if not quiet:
        print(f"== {step}", flush=True)
    started = time.monotonic()
    yield
    seconds[step] = round(time.monotonic() - started, 1)
