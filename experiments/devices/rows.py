"""What `python -m experiments.devices` finds."""

import dataclasses
from typing import Any

from asr_qat.provenance import Provenance
from experiments.devices.cpus import ARM, I8MM, NATIVE
from experiments.targets import Row, at_least, at_most, equal
from tflite_export.score.device.file_product import STATIC

TRAINED = "w4a8 trained"  # the file that is used, not one that shows its arithmetic
ARM_CPUS, X86_CPUS, UTTERANCES = 3, 2, 20  # that were promised, at least


@dataclasses.dataclass(frozen=True, kw_only=True)
class KindRow:
    """The products of one kind of arithmetic in a file.

    Attributes:
        kind: see `tflite_export.score.device.file_product`.
        products: of it.
        rows: of their inputs that were compared.
        ties: of these, right with activations on the other side of a rounding edge.
        unexplained: of these, off by more than the bound all the same.
        max_error: largest difference, as a share of the output's range.
        bound: of it.
    """

    kind: str
    products: int
    rows: int
    ties: int
    unexplained: int
    max_error: float
    bound: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeviceRow:
    """A file on a processor beside the record of the native one.

    Attributes:
        cpu: name of the processor.
        machine: `aarch64` or `x86_64`.
        processor: what the runtime sees of it.
        file: name of the file.
        kinds: its products.
        utterances: that were recognised.
        changed: of these, with another text.
        floor: texts that a movement of the features by 1e-7 changes on the native processor.
        mean_logits: mean difference of the logits.
        max_logits: the largest.
        delegated: share of the operators that XNNPACK runs.
        within: whether `tflite-export verify` is content.
    """

    cpu: str
    machine: str
    processor: str
    file: str
    kinds: tuple[KindRow, ...]
    utterances: int
    changed: int
    floor: int
    mean_logits: float
    max_logits: float
    delegated: float
    within: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class DevicesResults(Provenance):
    """Files on several processors.

    Attributes:
        data: that the utterances are of.
        rows: a file on a processor each.
        whole: the trained file on the processor with i8mm, on the whole test set; None without.
        targets: what was promised.
    """

    data: str
    rows: tuple[DeviceRow, ...]
    whole: DeviceRow | None
    targets: tuple[Row, ...] = ()


def row_of(cpu: str, machine: str, name: str, report: dict[str, Any]) -> DeviceRow:
    """From what `tflite-export verify --json` prints."""
    kinds: dict[str, list[dict[str, Any]]] = {}
    for product in report["products"]:
        kinds.setdefault(product["kind"], []).append(product)
    signatures = report["signatures"]
    operators = sum(each["operators"] for each in signatures)
    return DeviceRow(
        cpu=cpu,
        machine=machine,
        processor=report["here"]["processor"],
        file=name,
        kinds=tuple(_kind(kind, own) for kind, own in kinds.items()),
        utterances=report["utterances"],
        changed=len(report["changed"]),
        floor=max(report["floor"]["changes"]),
        mean_logits=report["mean_logits"],
        max_logits=report["max_logits"],
        delegated=sum(each["delegated"] for each in signatures) / operators,
        within=report["within_bounds"],
    )


def together(reports: list[dict[str, Any]]) -> dict[str, Any]:
    """The reports of parts of one set of utterances as one."""
    counts = [report["utterances"] for report in reports]
    moved = zip(*(report["floor"]["changes"] for report in reports), strict=True)
    weighted = [n * report["mean_logits"] for n, report in zip(counts, reports, strict=True)]
    return {
        **reports[0],
        "utterances": sum(counts),
        "changed": [each for report in reports for each in report["changed"]],
        "floor": {"changes": [sum(parts) for parts in moved]},
        "mean_logits": sum(weighted) / sum(counts),
        "max_logits": max(report["max_logits"] for report in reports),
        "within_bounds": all(report["within_bounds"] for report in reports),
    }


def _kind(kind: str, products: list[dict[str, Any]]) -> KindRow:
    return KindRow(
        kind=kind,
        products=len(products),
        **{key: sum(p[key] for p in products) for key in ("rows", "ties", "unexplained")},
        max_error=max(p["max_error"] for p in products),
        bound=max(p["bound"] for p in products),
    )


def targets(found: DevicesResults) -> tuple[Row, ...]:
    """What was promised."""
    emulated = [row for row in found.rows if row.cpu != NATIVE]
    arm = {row.cpu for row in emulated if row.machine == ARM}
    others = {row.cpu for row in emulated} - arm
    rows = [
        at_least("ARM processors", len(arm), ARM_CPUS),
        at_least("x86 processors without AVX-512", len(others), X86_CPUS),
        at_least(
            f"utterances of {TRAINED} on each processor",
            min((row.utterances for row in found.rows if row.file == TRAINED), default=0),
            UTTERANCES,
        ),
    ]
    for cpu in dict.fromkeys(row.cpu for row in found.rows):
        kinds = [kind for row in found.rows if row.cpu == cpu for kind in row.kinds]
        total, ties = sum(kind.rows for kind in kinds), sum(kind.ties for kind in kinds)
        rows.append(
            equal(
                f"{cpu}: rows of all products that are not explained, of {total:,} ({ties} ties)",
                sum(kind.unexplained for kind in kinds),
                0,
            )
        )
    static = [k.max_error for row in found.rows for k in row.kinds if k.kind == STATIC]
    if static:
        rows.append(equal("static products: largest difference anywhere", max(static), 0.0))
    if found.whole is not None:
        name = f"{I8MM}, {found.whole.file}: texts of {found.whole.utterances} that change"
        rows.append(at_most(name, found.whole.changed, found.whole.floor))
    return tuple(rows)
