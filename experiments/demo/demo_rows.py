"""What `tflite-export demo` writes."""

import dataclasses

from asr_qat.provenance import Provenance
from tflite_export.score.rows import ComparedFile, Parting, ProductError, ScoredFile


@dataclasses.dataclass(frozen=True, kw_only=True)
class DemoCorpus:
    """The corpus and its test set.

    Attributes:
        name: of the corpus.
        description: in a sentence.
        licence: of the recordings.
        utterances: of the test set.
        words: in them.
        notice: what a reader must know before the figures, if anything.
    """

    name: str
    description: str
    licence: str
    utterances: int
    words: int
    notice: str | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class DemoTraining:
    """The quantization aware training.

    Attributes:
        start: name of the float model.
        config: name of the configuration file.
        steps: of training.
    """

    start: str
    config: str
    steps: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class DemoResults(Provenance):
    """The table.

    Attributes:
        rows: one for each file.
        beside: of a transducer: it with a beam, and the CTC model of the same corpus.
        corpus: what was recognised.
        training: of the last row.
        seconds: that each step took.
    """

    rows: tuple[ComparedFile, ...]
    beside: tuple[ScoredFile, ...]
    corpus: DemoCorpus
    training: DemoTraining
    seconds: dict[str, float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelEquality:
    """The whole file beside the Keras model; see `tflite_export.score.rows.Agreement`.

    Attributes:
        utterances: that were recognised.
        identical: of these, with the same text.
        median_logit_diff: see there.
        max_logit_diff: see there.
        rounding_floor: see there.
        different: the other utterances.
    """

    utterances: int
    identical: int
    median_logit_diff: float
    max_logit_diff: float
    rounding_floor: float
    different: tuple[Parting, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class EqualityResults(Provenance):
    """Whether the int4 file is its Keras model.

    Attributes:
        products: every quantized product.
        bar: largest difference that counts as equal, as a share of the output's range.
        model: the whole.
    """

    products: tuple[ProductError, ...]
    bar: float
    model: ModelEquality
