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

from asr_qat import files
from asr_qat.config import load_yaml
from asr_qat.corpora.fallback import read_corpus
from asr_qat.corpora.prepare import prepare
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.corpora.recordings import recordings
from asr_qat.corpora.utterance import Utterance
from asr_qat.errors import UserError
from asr_qat.models.model_directory import TOKENIZER, WEIGHTS, Recogniser
from asr_qat.provenance import Provenance
from asr_qat.quantize.precision import FLOAT
from asr_qat.training.config import TrainConfig
from asr_qat.training.quantized import post_training
from asr_qat.training.run import train
from experiments.demo import demo_page
from experiments.demo.demo_rows import (
    DemoCorpus,
    DemoResults,
    DemoTraining,
    EqualityResults,
    ModelEquality,
)
from experiments.demo.transducer_rows import beam_rows, ctc_row, row
from experiments.made_from import require_made_from
from experiments.reports.wer_size_plot import plot_wer_against_size
from tflite_export.convert.convert import convert_recogniser
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score import evaluate
from tflite_export.score.compare import compare
from tflite_export.score.product_equality import product_errors
from tflite_export.score.rows import Agreement, ComparedFile, Comparison, ScoredFile, combine

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


@dataclasses.dataclass(frozen=True)
class Scored:
    """The files of all variants, scored.

    Attributes:
        rows: of the table.
        devices: the recognisers by the variant's name.
        runs: what they recognised, by the same.
        equality: of the file that was trained natively and its Keras model.
    """

    rows: list[ComparedFile]
    devices: dict[str, TFLiteRecogniser]
    runs: dict[str, evaluate.Run]
    equality: EqualityResults


def demo(
    data: str | None = None,
    work: str | Path = "work/demo",
    results: str | Path = "work/demo/results",
    corpus: str = "an4",
    threads: int = 1,
    quiet: bool = False,
    model: str = "ctc",
) -> DemoResults:
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

    Raises:
        UserError: no corpus, or no float model for it.
    """
    work, results = Path(work), Path(results)
    clock = _Clock(quiet)
    with clock.timed("prepare"):
        source = read_corpus(corpus, data, quiet)
        name = source.name
        ctc = _float_model(f"{name}_tiny", name, work)
        stem = f"{name}_tiny" if model == "ctc" else f"{name}_tiny_{model}"
        start = _float_model(stem, name, work)
        prepared = work / f"{name}_prepared"
        prepare(source, prepared, tokenizer=start / TOKENIZER, quiet=quiet)
        folder = PreparedFolder(prepared)
    config_path = ROOT / "configs" / f"{stem}_w4a8.yaml"
    config = dataclasses.replace(
        load_yaml(config_path, TrainConfig),
        data=str(folder.path),
        start=str(start),
        output=str(work / f"{stem}_w4a8"),
    )
    longer = dataclasses.replace(config, quantization=None, output=str(work / f"{stem}_trained_on"))
    origins = {FIRST: Recogniser.load(start)}
    with clock.timed("float training"):
        origins[LONGER] = train(longer, quiet)
    with clock.timed("quantization aware training"):
        origins[TRAINED] = train(config, quiet)

    items = recordings(folder.path)
    scored = _score(origins, items, work / stem, threads, clock)
    beside: list[ScoredFile] = []
    if model == "transducer":
        first = scored.runs[FIRST.name]
        with clock.timed("beam search"):
            chosen = {variant.name: scored.devices[variant.name] for variant in (FIRST, TRAINED)}
            beside += beam_rows(chosen, items, first, quiet)
        with clock.timed("CTC model"):
            beside.append(ctc_row(ctc, SECONDS, work / stem, items, first, threads, quiet))
    largest = scored.rows[0].bytes
    found = DemoResults(
        rows=tuple(dataclasses.replace(each, ratio=largest / each.bytes) for each in scored.rows),
        beside=tuple(dataclasses.replace(each, ratio=largest / each.bytes) for each in beside),
        corpus=_describe(folder, scored.rows[0]),
        training=DemoTraining(start=start.name, config=config_path.name, steps=config.steps),
        seconds=clock.seconds,
        **vars(Provenance.of_this_run(config.seed)),
    )
    _write(results, *result_names(name, model), found, scored.equality)
    return found


def _score(
    origins: dict[Variant, Recogniser],
    items: list[Utterance],
    folder: Path,
    threads: int,
    clock: "_Clock",
) -> Scored:
    """Export and score every variant; those that have no `origins` are made of the first one."""
    rows: list[ComparedFile] = []
    devices: dict[str, TFLiteRecogniser] = {}
    runs: dict[str, evaluate.Run] = {}
    for variant in VARIANTS:
        with clock.timed(variant.name):
            path = folder / variant.file
            origin = origins.get(variant, origins[FIRST])
            files.write_bytes(path, convert_recogniser(origin, variant.precision, SECONDS))
            device = devices[variant.name] = TFLiteRecogniser(path, threads)
            result = runs[variant.name] = evaluate.run(device, items, clock.quiet)
            evaluate.write_hypotheses(f"{path}.hypotheses.jsonl", items, result.hypotheses)
            keras = _keras_model(origin, device)
            proof = variant is TRAINED
            agreement = compare(keras, device, items, result, clock.quiet, floor=proof)
            baseline = runs[variant.baseline or variant.name]
            rows.append(_row(variant, device, items, result, baseline, agreement))
            if proof:
                equality = _equality(keras, device, items, agreement)
    return Scored(rows, devices, runs, equality)


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
    require_made_from(path, work)
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
) -> ComparedFile:
    """What the table says of one file; `agreement` with its Keras model as `compare` gives it."""
    figures = {f.name: getattr(agreement, f.name) for f in dataclasses.fields(Agreement)}
    scored = row(variant.name, device, items, result, baseline)
    if variant is FIRST:  # against itself
        scored = dataclasses.replace(scored, wer_diff_ci=None)
    return combine(ComparedFile, scored, baseline=variant.baseline, **figures)


def _equality(
    keras: Recogniser, device: TFLiteRecogniser, items: list[Utterance], agreement: Comparison
) -> EqualityResults:
    """How equal a file is to its Keras model, product by product and as a whole."""
    rate = device.metadata.front_end.sample_rate
    heard = (device.features(item.read(rate)) for item in items)
    whole = (features for features in heard if len(features) <= device.lengths[-1])
    chosen = list(itertools.islice(whole, PRODUCT_UTTERANCES))
    assert agreement.rounding_floor is not None
    return EqualityResults(
        products=tuple(product_errors(device.path, keras, chosen)),
        bar=PRODUCT_BAR,
        model=ModelEquality(
            utterances=len(items),
            identical=len(items) - len(agreement.different),
            median_logit_diff=agreement.median_logit_diff,
            max_logit_diff=agreement.max_logit_diff,
            rounding_floor=agreement.rounding_floor,
            different=agreement.different,
        ),
        **vars(Provenance.of_this_run()),
    )


def _describe(folder: PreparedFolder, first: ScoredFile) -> DemoCorpus:
    corpus = folder.corpus
    return DemoCorpus(
        name=corpus["name"],
        description=corpus["description"],
        licence=corpus["licence"],
        utterances=first.utterances,
        words=first.words,
        notice=NOTICE.get(corpus["name"]),
    )


def result_names(corpus: str, model: str = "ctc") -> tuple[str, str]:
    """Stems of the files with the results and with the equality of file and Keras model."""
    if model == "transducer":
        return f"transducer_{corpus}", f"equality_transducer_{corpus}"
    suffix = "" if corpus == "an4" else f"_{corpus}"
    return f"demo{suffix}", f"equality{suffix}"


def _write(
    results: Path, name: str, equality_name: str, found: DemoResults, equality: EqualityResults
) -> None:
    files.write_json(results / f"{name}.json", dataclasses.asdict(found))
    files.write_json(results / f"{equality_name}.json", dataclasses.asdict(equality))
    files.write_text(results / f"{name}.md", demo_page.markdown_table(found) + "\n")
    plot_wer_against_size(found.rows, results / f"{name}.png", found.corpus.notice)
    demo_page.html_report(found, equality, results / f"{name}.html")


class _Clock:
    """The time that each step takes.

    Args:
        quiet: do not say which one begins.

    Attributes:
        seconds: by step.
    """

    def __init__(self, quiet: bool):
        self.quiet = quiet
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """A step."""
        if not self.quiet:
            print(f"== {step}", flush=True)
        started = time.monotonic()
        yield
        self.seconds[step] = round(time.monotonic() - started, 1)
