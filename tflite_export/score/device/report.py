"""What `tflite-export verify` finds on a device, and whether that is within its bounds."""

import dataclasses
from collections.abc import Iterator

FLOORS = 3  # times the mean logit difference of the reference to itself that a device may have
LEAST_LOGITS = 1e-4  # of the range of the logits: what float arithmetic alone may differ
PLAIN_CHANGES = 1  # texts that may change where the reference's movements change none


@dataclasses.dataclass(frozen=True, kw_only=True)
class CheckedProduct:
    """A quantized product beside what the file's own integers give.

    Attributes:
        layer: name.
        kind: of arithmetic, see `tflite_export.score.device.file_product`.
        rows: of its input that were compared.
        ties: of these, right if activations on a rounding edge went to the other side.
        unexplained: of these, off by more than the bound all the same.
        max_error: largest difference, as a share of the output's range.
        bound: of it.
    """

    layer: str
    kind: str
    rows: int
    ties: int
    unexplained: int
    max_error: float
    bound: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class CheckedSignature:
    """How a signature runs.

    Attributes:
        name: of the signature.
        operators: of its graph.
        delegated: of these, run by XNNPACK.
        ms: one run, median, milliseconds.
    """

    name: str
    operators: int
    delegated: int
    ms: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChangedText:
    """An utterance with another text than on the reference machine."""

    id: str
    reference: str
    here: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Floor:
    """How much the reference machine differs from itself when features move by 1e-7.

    Attributes:
        changes: texts that each movement of all features changes.
        mean_logits: mean difference of the logits, of the movement with the largest.
        max_logits: the largest difference of all.
    """

    changes: tuple[int, ...]
    mean_logits: float
    max_logits: float

    @property
    def changed(self) -> int:
        """Texts that a movement changes, the most of all."""
        return max(self.changes)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Machine:
    """Where a file ran.

    Attributes:
        processor: the machine, and those instructions that choose between kernels.
        litert: version of the runtime.
        xnnpack: whether its delegate runs any operator.
    """

    processor: str
    litert: str
    xnnpack: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeviceReport:
    """A file on this device beside the reference machine.

    Attributes:
        file: its name.
        checksum: of the file, hexadecimal.
        here: this device.
        reference: the machine that the record was made on.
        signatures: all of the file's.
        products: all that ran.
        unchecked: layers with a product of a kind that is not known here.
        utterances: that were recognised.
        changed: those of them with another text.
        floor: of the reference machine.
        logits_range: of the reference's logits, largest minus smallest.
        mean_logits: mean difference of the logits to the reference's; None without logits.
        max_logits: the largest.
    """

    file: str
    checksum: str
    here: Machine
    reference: Machine
    signatures: tuple[CheckedSignature, ...]
    products: tuple[CheckedProduct, ...]
    unchecked: tuple[str, ...]
    utterances: int
    changed: tuple[ChangedText, ...]
    floor: Floor
    logits_range: float
    mean_logits: float | None
    max_logits: float | None

    @property
    def changes_allowed(self) -> int:
        """Texts that may change."""
        return max(self.floor.changed, PLAIN_CHANGES)

    @property
    def logits_allowed(self) -> float:
        """The largest mean difference of the logits."""
        return max(FLOORS * self.floor.mean_logits, LEAST_LOGITS * self.logits_range)

    def failures(self) -> Iterator[str]:
        """What is not within its bound, in words; nothing if the file runs as it should."""
        for product in self.products:
            if product.unexplained:
                yield (
                    f"{product.layer}: {product.unexplained} of {product.rows} rows off by more "
                    f"than {product.bound:.1e} of the range, up to {product.max_error:.1e}"
                )
        if len(self.changed) > self.changes_allowed:
            yield f"{len(self.changed)} texts changed, {self.changes_allowed} may"
        if self.mean_logits is not None and not self.mean_logits <= self.logits_allowed:
            yield (
                f"logits differ by {self.mean_logits:.1e} in the mean, "
                f"{self.logits_allowed:.1e} may be"
            )

    def warnings(self) -> Iterator[str]:
        """What explains a failure, or should be known."""
        if not self.here.xnnpack:
            yield (
                "XNNPACK does not run here. Without it LiteRT quantizes the activations of 4-bit "
                "products with an even number of inputs symmetrically, about 0.8% of the range off"
            )
        if self.here.litert != self.reference.litert:
            yield f"LiteRT {self.here.litert} here, {self.reference.litert} on the reference"
        if self.unchecked:
            yield f"not compared, of kinds that are not known here: {', '.join(self.unchecked)}"
