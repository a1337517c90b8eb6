"""Run a file on this device and compare it with its record: `tflite-export verify`."""

import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from asr_qat.arrays import Array
from asr_qat.errors import require
from asr_qat.progress import progress
from tflite_export.runtime.processor import chosen_by
from tflite_export.score.delegation import delegation
from tflite_export.score.device.recognised import (
    DeviceRecogniser,
    Recognised,
    WatchedRecogniser,
    flatbuffer_of,
)
from tflite_export.score.device.record import Record
from tflite_export.score.device.report import (
    ChangedText,
    CheckedSignature,
    DeviceReport,
    Machine,
)

PRODUCTS_OF = 3  # utterances whose products are compared
ROUNDS = 5  # timed runs of each signature


def check(
    path: str | Path,
    record: Record,
    threads: int = 1,
    xnnpack: bool = True,
    products_of: int = PRODUCTS_OF,
    rounds: int = ROUNDS,
    quiet: bool = False,
) -> DeviceReport:
    """Compare a file on this device with the machine that its record was made on.

    Args:
        path: the `.tflite`.
        record: of it.
        threads: CPU threads.
        xnnpack: with LiteRT's delegate. Without: what a runtime that has none computes.
        products_of: utterances whose products are compared.
        rounds: timed runs of each signature.
        quiet: no progress.
    """
    device = DeviceRecogniser(path, threads, xnnpack)
    model = flatbuffer_of(path)
    signatures = measure_signatures(device, model, rounds, xnnpack)
    watched = WatchedRecogniser(model, threads, xnnpack) if products_of else None
    chosen = record.features[:products_of]
    for features in progress(chosen, "products", len(chosen), quiet=quiet):
        assert watched is not None
        watched.recognised(features.astype(np.float32))
    shown = progress(record.features, "texts", len(record.features), quiet=quiet)
    found = [device.recognised(features.astype(np.float32)) for features in shown]
    about = record.about
    differences = logit_differences(record.logits, found)
    return DeviceReport(
        file=Path(path).name,
        checksum=about.checksum,
        here=machine(signatures),
        reference=about.machine,
        signatures=signatures,
        products=() if watched is None else watched.products.summary(),
        unchecked=() if watched is None else watched.products.unchecked,
        utterances=len(found),
        changed=tuple(
            ChangedText(id=name, reference=text, here=each.text)
            for name, text, each in zip(about.ids, about.texts, found, strict=True)
            if text != each.text
        ),
        floor=about.floor,
        logits_range=max((float(np.ptp(each)) for each in record.logits if each.size), default=0.0),
        mean_logits=None if differences is None else float(np.mean(differences)),
        max_logits=None if differences is None else float(np.max(differences)),
    )


def logit_differences(expected: list[Array], found: list[Recognised]) -> Array | None:
    """Of the utterances with as many steps: those of a transducer follow what was found before.

    None without any.
    """
    pairs = [
        (each, other.logits)
        for each, other in zip(expected, found, strict=False)
        if other.logits is not None and len(other.logits) == len(each)
    ]
    if not pairs:
        return None
    return np.concatenate([np.abs(a - b).ravel() for a, b in pairs])


def machine(signatures: tuple[CheckedSignature, ...]) -> Machine:
    """This one."""
    delegated = any(signature.delegated for signature in signatures)
    return Machine(processor=chosen_by(), litert=version("ai-edge-litert"), xnnpack=delegated)


def measure_signatures(
    device: DeviceRecogniser, model: schema.ModelT, rounds: int = ROUNDS, xnnpack: bool = True
) -> tuple[CheckedSignature, ...]:
    """What runs each signature, and how long it takes on zeros.

    Raises:
        UserError: fewer than one round.
    """
    require(rounds >= 1, f"rounds: {rounds} is less than 1")
    rows = []
    for signature in model.signatureDefs:
        name, graph = signature.signatureKey.decode(), model.subgraphs[signature.subgraphIndex]
        inputs = {
            key: np.zeros(detail["shape"], detail["dtype"])
            for key, detail in device.signatures.inputs(name).items()
        }
        delegated = len(delegation(model, graph).operators) if xnnpack else 0
        device.call(name, **inputs)
        seconds = [_seconds(device, name, inputs) for _ in range(rounds)]
        ms = 1000 * float(np.median(seconds))
        rows.append(
            CheckedSignature(name=name, operators=len(graph.operators), delegated=delegated, ms=ms)
        )
    return tuple(rows)


def _seconds(device: DeviceRecogniser, signature: str, inputs: dict[str, Array]) -> float:
    started = time.perf_counter()
    device.call(signature, **inputs)
    return time.perf_counter() - started
