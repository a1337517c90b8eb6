"""The main job: quantization aware training of a shipped float model, and the proof.

Float32, int8 and int4 after training, and int4 trained natively: each exported to a
`.tflite`, scored in LiteRT on the test set, and compared with its Keras model.
"""

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from asr_qat import files
from asr_qat.audio.decode import read_audio
from asr_qat.config import load_yaml
from asr_qat.corpora.prepare import prepare
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.errors import UserError
from asr_qat.models.model_directory import Recogniser
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
from tflite_export.statistics import paired_interval, word_errors
from tflite_export.wer_size_plot import plot_wer_against_size

ROOT = Path(__file__).resolve().parent.parent
SECONDS = (4.0, 8.0)  # signatures: no test utterance of either corpus is longer
PRODUCT_UTTERANCES = 10  # that the products are compared on: thousands of rows for each
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


VARIANTS = (
    Variant("float32", "float32.tflite", FLOAT),
    Variant("int8 post-training", "int8_ptq.tflite", "w8a8"),
    Variant("int4 post-training", "int4_ptq.tflite", "w4a8"),
)
TRAINED = Variant("int4 native QAT", "int4_qat.tflite", "w4a8")


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
        folder = _prepare(corpus, data, work, quiet)
    name = folder.corpus["name"]
    start = ROOT / "models" / f"{name}_tiny_float"
    config = load_yaml(ROOT / "configs" / f"{name}_tiny_w4a8.yaml", TrainConfig)
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
    for variant in (*VARIANTS, TRAINED):
        with _timed(variant.name, seconds, quiet):
            keras = trained if variant is TRAINED else _float_variant(float_model, variant)
            path = work / name / variant.file
            files.write_bytes(path, convert_recogniser(keras, seconds=SECONDS))
            device = TFLiteRecogniser(path, threads)
            result = evaluate.run(device, items, quiet)
            evaluate.write_hypotheses(f"{path}.hypotheses.jsonl", items, result.hypotheses)
            errors = word_errors([item.text for item in items], result.hypotheses)
            baseline = baseline or errors
            difference = compare(keras, device, items, result, quiet)
            method = "ptq" if variant in VARIANTS[1:] else device.metadata.method
            size = path.stat().st_size
            rows.append(
                {
                    "name": variant.name,
                    "precision": variant.precision,
                    "method": method,
                    "bytes": size,
                    "ratio": rows[0]["bytes"] / size if rows else 1.0,
                    **evaluate.summarize(result, items, threads),
                    "wer_diff": errors.rate - baseline.rate,
                    "wer_diff_ci": paired_interval(errors, baseline) if rows else None,
                    **{k: v for k, v in difference.items() if k != "different"},
                    "peak_rss_mb": evaluate.peak_rss_mb(
                        path, float(result.audio_seconds.max()), threads
                    ),
                }
            )
        if variant is TRAINED:
            chosen = [device.features(_audio(item, device)) for item in items[:PRODUCT_UTTERANCES]]
            equality = {
                "products": product_errors(path, keras, chosen),
                "bar": PRODUCT_BAR,
                "model": _model_equality(difference, len(items)),
            }
    content = {
        "rows": rows,
        "corpus": _describe(folder, rows[0]),
        "training": {"start": start.name, "config": config_name(name), "steps": config.steps},
        "seconds": seconds,
        **provenance(config.seed),
    }
    _write(results, name, content, equality)
    return content


def config_name(corpus: str) -> str:
    """File of the quantized training's configuration."""
    return f"configs/{corpus}_tiny_w4a8.yaml"


def _prepare(corpus: str, data: str | None, work: Path, quiet: bool) -> PreparedFolder:
    """Prepare the corpus with the shipped model's vocabulary, or the default in its place."""
    from asr_qat.corpora.fallback import read_corpus

    name = read_corpus(corpus, data, quiet).name
    tokenizer = ROOT / "models" / f"{name}_tiny_float" / "tokenizer.model"
    if not tokenizer.is_file():
        raise UserError(f"{tokenizer.parent}: no float model for the corpus {name}")
    out = work / f"{name}_prepared"
    prepare(name, data if name == corpus else None, out, tokenizer=tokenizer, quiet=quiet)
    return PreparedFolder(out)


def _float_variant(model: Recogniser, variant: Variant) -> Recogniser:
    return model if variant.precision == FLOAT else post_training(model, variant.precision)


def _audio(item: evaluate.Recording, device: TFLiteRecogniser):
    return read_audio(item.path, device.metadata.front_end.sample_rate)


def _model_equality(difference: dict[str, Any], utterances: int) -> dict[str, Any]:
    return {
        "utterances": utterances,
        "identical": utterances - len(difference["different"]),
        **{k: difference[k] for k in ("median_logit_diff", "max_logit_diff", "rounding_floor")},
        "different": difference["different"],
    }


def _describe(folder: PreparedFolder, row: dict[str, Any]) -> dict[str, Any]:
    corpus = folder.corpus
    return {
        **{key: corpus[key] for key in ("name", "description", "licence")},
        "utterances": row["utterances"],
        "words": row["words"],
        "notice": NOTICE.get(corpus["name"]),
    }


def _write(results: Path, name: str, content: dict, equality: dict) -> None:
    """Results of AN4 under the plain names, those of another corpus with its name."""
    suffix = "" if name == "an4" else f"_{name}"
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
