"""The main job: quantization aware training of a shipped float model, and the proof.

Float32, int8 and int4 after training, and int4 trained natively: each exported to a
`.tflite`, scored in LiteRT on the test set, and compared with its Keras model. Quantization
aware training also trains, so the float model is trained on for the same steps by the same
recipe: what the last row lost is its difference to that one.
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
from asr_qat.corpora.recordings import recordings
from asr_qat.corpora.utterance import Utterance
from asr_qat.errors import UserError
from asr_qat.models.model_directory import TOKENIZER, WEIGHTS, Recogniser, weights_checksum
from asr_qat.provenance import provenance
from asr_qat.quantize.precision import FLOAT
from asr_qat.training.config import TrainConfig
from asr_qat.training.quantized import post_training
from asr_qat.training.run import train
from experiments.demo.transducer_rows import beam_rows, ctc_row, row
from experiments.reports import demo_page
from experiments.reports.wer_size_plot import plot_wer_against_size
from tflite_export.convert.convert import convert_recogniser
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score import evaluate
from tflite_export.score.compare import compare
from tflite_export.score.product_equality import product_errors
from tflite_export.score.rows import Agreement, Comparison

ROOT = Path(__file__).resolve().parents[2]
SECONDS = (4.0, 8.0)  # signatures: no test utterance of AN4 or of the synthetic voices is longer
PRODUCT_UTTERANCES = 10  # of one window, that the products are compared on
PRODUCT_BAR = 1e-5
NOTICE = {
    "synthetic": "Synthetic voices: nobody speaks here. The test voices are never heard in "
    "training, but come from the same synthesiser, espeak-ng, and the float model began as that "
    "of AN4: a check of the tools, not a measure of speech recognition."
}


@dataclasses.dataclass(frozen=True)
class Variant:
    """One row of the demo.

    Attributes:
        name: of the row.
        file: that the model is exported to.
        precision: of the file.
        baseline: name of the row that the difference is to.
    """

    name: str
    file: str
    precision: str
    baseline: str | None = "float32"


FIRST = Variant("float32", "float32.tflite", FLOAT, baseline=None)
LONGER = Variant("float32 trained on", "float32_trained_on.tflite", FLOAT)
TRAINED = Variant("int4 native QAT", "int4_qat.tflite", "w4a8", baseline=LONGER.name)
VARIANTS = (
    FIRST,
    LONGER,
    Variant("int8 post-training", "int8_ptq.tflite", "w8a8"),
    Variant("int4 post-training", "int4_ptq.tflite", "w4a8"),
    TRAINED,
)


def demo(
    data: str | None = None,
    work: str | Path = "work/demo",
    results: str | Path = "work/demo/results",
    corpus: str = "an4",
    threads: int = 1,
    quiet: bool = False,
    model: str = "ctc",
) -> dict[str, Any]:
    """Run the demo and write its results, equality, table, plot and page: see `result_names`.

    Args:
        data: where the corpus lies, if not in a known place.
        work: folder for the prepared corpus, the models and the `.tflite` files. What is
            finished there is not done again.
        results: folder for the results.
        corpus: `an4`, replaced by `synthetic` where it is out of reach, or `synthetic`.
        threads: CPU threads of the interpreter.
        quiet: no progress.
        model: `ctc` or `transducer`.

    Returns:
        The content of the results. Those of a transducer also have rows `beside`: it with a
        beam, and the CTC model of the same corpus.

    Raises:
        UserError: no corpus, or no float model for it.
    """
    work, results = Path(work), Path(results)
    seconds: dict[str, float] = {}
    with _timed("prepare", seconds, quiet):
        source = read_corpus(corpus, data, quiet)
        name = source.name
        ctc = _float_model(f"{name}_tiny", name, work)
        stem = f"{name}_tiny" if model == "ctc" else f"{name}_tiny_{model}"
        start = _float_model(stem, name, work)
        prepared = work / f"{name}_prepared"
        prepare(source, prepared, tokenizer=start / TOKENIZER, quiet=quiet)
        folder = PreparedFolder(prepared)
    config_path = ROOT / "configs" / f"{stem}_w4a8.yaml"
    config = load_yaml(config_path, TrainConfig)
    config = dataclasses.replace(
        config, data=str(folder.path), start=str(start), output=str(work / f"{stem}_w4a8")
    )
    longer = dataclasses.replace(config, quantization=None, output=str(work / f"{stem}_trained_on"))
    origins = {}
    with _timed("float training", seconds, quiet):
        origins[LONGER] = train(longer, quiet)
    with _timed("quantization aware training", seconds, quiet):
        origins[TRAINED] = train(config, quiet)
    float_model = Recogniser.load(start)

    items = recordings(folder.path)
    rows: list[dict[str, Any]] = []
    equality: dict[str, Any] = {}
    devices = {}
    runs: dict[str | None, evaluate.Run] = {}
    for variant in VARIANTS:
        with _timed(variant.name, seconds, quiet):
            path = work / stem / variant.file
            origin = origins.get(variant, float_model)
            files.write_bytes(path, convert_recogniser(origin, variant.precision, SECONDS))
            device = devices[variant.name] = TFLiteRecogniser(path, threads)
            result = evaluate.run(device, items, quiet)
            evaluate.write_hypotheses(f"{path}.hypotheses.jsonl", items, result.hypotheses)
            keras = _keras_model(origin, device)
            proof = variant is TRAINED
            agreement = compare(keras, device, items, result, quiet, floor=proof)
            runs[variant.name] = result
            baseline = runs[variant.baseline or variant.name]
            rows.append(_row(variant, device, items, result, baseline, agreement))
            if proof:
                equality = _equality(keras, device, items, agreement)
    beside: list[dict[str, Any]] = []
    if model == "transducer":
        first = runs[FIRST.name]
        with _timed("beam search", seconds, quiet):
            chosen = {variant.name: devices[variant.name] for variant in (FIRST, TRAINED)}
            rows_beside = beam_rows(chosen, items, first, quiet)
        with _timed("CTC model", seconds, quiet):
            of_ctc = ctc_row(ctc, SECONDS, work / stem, items, first, threads, quiet)
        beside = [dataclasses.asdict(each) for each in (*rows_beside, of_ctc)]
    for each in [*rows, *beside]:
        each["ratio"] = rows[0]["bytes"] / each["bytes"]
    rows[0]["wer_diff_ci"] = None  # float32 against itself
    content = {
        "rows": rows,
        "beside": beside,
        "corpus": _describe(folder, rows[0]),
        "training": {"start": start.name, "config": config_path.name, "steps": config.steps},
        "seconds": seconds,
        **provenance(config.seed),
    }
    _write(results, *result_names(name, model), content, equality)
    return content


def _float_model(stem: str, corpus: str, work: Path) -> Path:
    """A shipped model of a corpus.

    Raises:
        UserError: there is none, or `work` holds what was made of another one.
    """
    path = ROOT / "models" / f"{stem}_float"
    if not (path / WEIGHTS).is_file():
        raise UserError(
            f"{path}: no such float model for the corpus {corpus}: train one, see configs/ and "
            "`make reproduce`, and copy it there"
        )
    checksum = weights_checksum(path)
    begun = work / f"{stem}_float.sha256"
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
    variant: Variant,
    device: TFLiteRecogniser,
    items: list[Utterance],
    result: evaluate.Run,
    baseline: evaluate.Run,
    agreement: Comparison,
) -> dict[str, Any]:
    """What the table says of one file; `agreement` with its Keras model as `compare` gives it."""
    figures = {f.name: getattr(agreement, f.name) for f in dataclasses.fields(Agreement)}
    scored = dataclasses.asdict(row(variant.name, device, items, result, baseline))
    return {**scored, **figures, "baseline": variant.baseline}


def _equality(
    keras: Recogniser, device: TFLiteRecogniser, items: list[Utterance], agreement: Comparison
) -> dict[str, Any]:
    """How equal a file is to its Keras model, product by product and as a whole."""
    rate = device.metadata.front_end.sample_rate
    heard = (device.features(read_audio(item.audio_path, rate)) for item in items)
    whole = (features for features in heard if len(features) <= device.lengths[-1])
    chosen = list(itertools.islice(whole, PRODUCT_UTTERANCES))
    return {
        "products": [dataclasses.asdict(p) for p in product_errors(device.path, keras, chosen)],
        "bar": PRODUCT_BAR,
        "model": {
            "utterances": len(items),
            "identical": len(items) - len(agreement.different),
            "median_logit_diff": agreement.median_logit_diff,
            "max_logit_diff": agreement.max_logit_diff,
            "rounding_floor": agreement.rounding_floor,
            "different": [dataclasses.asdict(each) for each in agreement.different],
        },
    }


def _describe(folder: PreparedFolder, first: dict[str, Any]) -> dict[str, Any]:
    corpus = folder.corpus
    return {
        **{key: corpus[key] for key in ("name", "description", "licence")},
        "utterances": first["utterances"],
        "words": first["words"],
        "notice": NOTICE.get(corpus["name"]),
    }


def result_names(corpus: str, model: str = "ctc") -> tuple[str, str]:
    """Stems of the files with the results and with the equality of file and Keras model."""
    if model == "transducer":
        return f"transducer_{corpus}", f"equality_transducer_{corpus}"
    suffix = "" if corpus == "an4" else f"_{corpus}"
    return f"demo{suffix}", f"equality{suffix}"


def _write(results: Path, name: str, equality_name: str, content: dict, equality: dict) -> None:
    files.write_json(results / f"{name}.json", content)
    files.write_json(results / f"{equality_name}.json", {**equality, **provenance()})
    files.write_text(results / f"{name}.md", demo_page.markdown_table(content) + "\n")
    plot_wer_against_size(content, results / f"{name}.png")
    demo_page.html_report(content, equality, results / f"{name}.html")


@contextlib.contextmanager
def _timed(step: str, seconds: dict[str, float], quiet: bool) -> Iterator[None]:
    if not quiet:
        print(f"== {step}", flush=True)
    started = time.monotonic()
    yield
    seconds[step] = round(time.monotonic() - started, 1)
