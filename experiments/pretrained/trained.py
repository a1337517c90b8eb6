"""Checkpoints that NeMo trained on CMU AN4: its transcriptions beside ours, and 4 bits of them."""

import dataclasses
import json
from pathlib import Path

from asr_qat import files
from asr_qat.config import load_yaml
from asr_qat.corpora.fallback import read_corpus
from asr_qat.corpora.prepare import prepare
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.corpora.recordings import recordings
from asr_qat.corpora.utterance import Utterance
from asr_qat.errors import require
from asr_qat.models.model_directory import TOKENIZER, Recogniser
from asr_qat.pretrained.import_checkpoint import import_checkpoint
from asr_qat.pretrained.network import Head
from asr_qat.provenance import code_commit
from asr_qat.quantize.precision import FLOAT
from asr_qat.text.normalize import normalize
from asr_qat.training.config import TrainConfig
from asr_qat.training.run import train
from experiments.pretrained.peer import run_script
from tflite_export.convert.convert import convert_recogniser
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score import evaluate
from tflite_export.score.compare import keras_recognitions
from tflite_export.score.equivalence import judge
from tflite_export.score.rows import Interval
from tflite_export.score.statistics import word_errors

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINTS = ROOT / "tests/data/nemo"
CORPUS = "an4"
SECONDS = (8.0,)  # no test utterance is longer
INT4 = "w4a8"


@dataclasses.dataclass(frozen=True)
class Case:
    """A checkpoint, one of its heads, and the recipe of its quantization aware training.

    Attributes:
        checkpoint: file in `tests/data/nemo`.
        head: that is imported.
        recipe: file in `configs`.
    """

    checkpoint: str
    head: Head
    recipe: str

    @property
    def name(self) -> str:
        """In tables."""
        return f"{self.checkpoint.removesuffix('.nemo')}, {self.head} head"


CASES = (
    Case("conformer_ctc.nemo", "ctc", "nemo_an4_ctc_w4a8.yaml"),
    Case("fastconformer_hybrid.nemo", "ctc", "nemo_an4_hybrid_ctc_w4a8.yaml"),
    Case("fastconformer_hybrid.nemo", "transducer", "nemo_an4_hybrid_transducer_w4a8.yaml"),
)


@dataclasses.dataclass(frozen=True)
class Texts:
    """What an utterance was recognised as, by three programs.

    Attributes:
        id: of the utterance.
        reference: its transcript.
        nemo: by NeMo.
        keras: by the imported Keras model.
        tflite: by the float file.
    """

    id: str
    reference: str
    nemo: str
    keras: str
    tflite: str


@dataclasses.dataclass(frozen=True)
class FileRow:
    """A file's error rate.

    Attributes:
        name: what was done to the model.
        bytes: of the file.
        wer: word error rate.
        baseline: row that the difference is to, None for the first.
        wer_diff: to that row.
        wer_diff_ci: its paired interval.
        verdict: see `tflite_export.score.equivalence`.
    """

    name: str
    bytes: int
    wer: float
    baseline: str | None = None
    wer_diff: float | None = None
    wer_diff_ci: Interval | None = None
    verdict: str | None = None


@dataclasses.dataclass(frozen=True)
class TrainedRow:
    """A trained checkpoint.

    Attributes:
        name: of the checkpoint and the head.
        sha256: of the checkpoint.
        utterances: of the test set.
        identical_keras: texts of the Keras model that are NeMo's.
        identical_tflite: texts of the float file that are NeMo's.
        nemo_wer: NeMo's word error rate.
        files: float, int4 after training, float trained on, int4 trained natively.
        texts: of all utterances.
        commit: of the code that measured it.
    """

    name: str
    sha256: str
    utterances: int
    identical_keras: int
    identical_tflite: int
    nemo_wer: float
    files: tuple[FileRow, ...]
    texts: tuple[Texts, ...]
    commit: str


def measure(case: Case, peer_python: Path, work: Path, quiet: bool = False) -> TrainedRow:
    """Import a checkpoint, compare it with NeMo, train it at 4 bits, and score the files.

    Args:
        case: the checkpoint.
        peer_python: of the environment with NeMo.
        work: folder for models and files; what is finished there is not done again.
        quiet: no progress.
    """
    stem = Path(case.recipe).stem.removesuffix(f"_{INT4}")
    checkpoint, start = CHECKPOINTS / case.checkpoint, work / f"{stem}_float"
    if not start.exists():
        import_checkpoint(checkpoint, start, case.head, quiet=quiet)
    prepared = work / f"{stem}_prepared"
    corpus = read_corpus(CORPUS, None, quiet, fallback=False)
    prepare(corpus, prepared, tokenizer=start / TOKENIZER, quiet=quiet)
    items = recordings(PreparedFolder(prepared).path)
    source = Recogniser.load(start)
    sha256 = files.sha256(checkpoint)
    require(
        source.config.source is not None and source.config.source.sha256 == sha256,
        f"{start}: was imported from another {checkpoint.name}: remove {work}",
    )

    theirs = _nemo_texts(checkpoint, items, peer_python, work / f"{stem}.json")
    rows: list[FileRow] = []
    path = work / f"{stem}_float.tflite"
    first = _score(source, FLOAT, items, path, quiet)
    found = keras_recognitions(source, TFLiteRecogniser(path), items, quiet=quiet)
    keras = [source.tokenizer.decode(each.tokens) for each in found]
    rows.append(_row("float32", first, items, None))
    after = _score(source, INT4, items, work / f"{stem}_int4_ptq.tflite", quiet)
    rows.append(_row("int4 post-training", after, items, ("float32", first)))
    config = dataclasses.replace(
        load_yaml(ROOT / "configs" / case.recipe, TrainConfig),
        data=str(prepared),
        start=str(start),
        output=str(work / f"{stem}_{INT4}"),
    )
    longer = dataclasses.replace(config, quantization=None, output=str(work / f"{stem}_trained_on"))
    path = work / f"{stem}_trained_on.tflite"
    float_run = _score(train(longer, quiet), FLOAT, items, path, quiet)
    rows.append(_row("float32 trained on", float_run, items, ("float32", first)))
    path = work / f"{stem}_int4_qat.tflite"
    trained = _score(train(config, quiet), INT4, items, path, quiet)
    rows.append(_row("int4 native QAT", trained, items, ("float32 trained on", float_run)))

    texts = tuple(
        Texts(item.id, item.text, *three)
        for item, *three in zip(items, theirs[case.head], keras, first[1].hypotheses, strict=True)
    )
    return TrainedRow(
        name=case.name,
        sha256=sha256,
        utterances=len(items),
        identical_keras=sum(each.keras == each.nemo for each in texts),
        identical_tflite=sum(each.tflite == each.nemo for each in texts),
        nemo_wer=_wer(items, theirs[case.head]),
        files=tuple(rows),
        texts=texts,
        commit=code_commit(),
    )


Scored = tuple[int, evaluate.Run]  # bytes of a file, and its work


def _score(
    recogniser: Recogniser, precision: str, items: list[Utterance], path: Path, quiet: bool
) -> Scored:
    content = convert_recogniser(recogniser, precision, SECONDS)
    files.write_bytes(path, content)
    return len(content), evaluate.run(TFLiteRecogniser(path), items, quiet)


def _row(
    name: str, scored: Scored, items: list[Utterance], baseline: tuple[str, Scored] | None
) -> FileRow:
    size, run = scored
    row = FileRow(name, size, _wer(items, run.hypotheses))
    if baseline is None:
        return row
    other, (_, before) = baseline
    found = evaluate.difference(run, before, items)
    assert found.wer_diff is not None and found.wer_diff_ci is not None
    return dataclasses.replace(
        row,
        baseline=other,
        wer_diff=found.wer_diff,
        wer_diff_ci=found.wer_diff_ci,
        verdict=judge(found.wer_diff, found.wer_diff_ci).verdict,
    )


def _wer(items: list[Utterance], texts: list[str]) -> float:
    return word_errors([item.text for item in items], [normalize(text) for text in texts]).rate


def _nemo_texts(
    checkpoint: Path, items: list[Utterance], peer_python: Path, out: Path
) -> dict[str, list[str]]:
    """NeMo's text of each recording, by head."""
    manifest = out.with_suffix(".jsonl")
    lines = [json.dumps({"audio_filepath": str(item.audio_path)}) for item in items]
    files.write_text(manifest, "\n".join(lines) + "\n")
    run_script(peer_python, "nemo_transcribe.py", checkpoint, manifest, "--out", out)
    texts: dict[str, list[str]] = files.read_json(out)["texts"]
    return texts
