"""Whether the graph of a `.tflite` is the one that its metadata are about."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from asr_qat.audio.front_end import subsampled_length
from asr_qat.decoding.live_format import CASCADE, CAUSAL, POSITIONS, LiveFormat
from asr_qat.errors import UserError
from tflite_export.runtime.metadata import Metadata
from tflite_export.runtime.signatures import Details, Signatures

ENCODE, PREDICT, JOIN = "encode_", "predict", "join"  # signatures
SHOWN = 4  # disagreements in one message

Shape = tuple[int | None, ...]  # None: any


def check_graph(path: Path, metadata: Metadata, signatures: Signatures) -> None:
    """Raise `UserError` unless names and shapes of the signatures are as the metadata say."""
    found = list(_disagreements(metadata, signatures))
    if found:
        said = "; ".join(found[:SHOWN])
        raise UserError(f"{path}: its graph is not that of its metadata: {said}: convert it again")


def encode_signatures(names: list[str]) -> dict[int, str]:
    """Those of whole utterances, by the feature frames that they take."""
    found = re.compile(ENCODE + r"([0-9]{1,7})")
    return {int(match[1]): name for name in names if (match := found.fullmatch(name))}


def state_units(inputs: Details) -> dict[str, int]:
    """Channels of each state among the inputs of the predict signature."""
    return {name: int(i["shape"][-1]) for name, i in sorted(inputs.items()) if name != "label"}


def _disagreements(metadata: Metadata, signatures: Signatures) -> Iterator[str]:
    names, classes = signatures.names(), metadata.tokenizer.blank + 1
    wanted = _live(metadata, metadata.live) if metadata.live else _whole(metadata, names)
    if not wanted:
        yield f"no signature {ENCODE}N"
    if JOIN in names:
        wanted[JOIN] = ({}, {"logits": (1, 1, 1, classes + len(metadata.durations))})
        wanted.setdefault(PREDICT, ({}, {}))
    for name, (inputs, outputs) in wanted.items():
        if name not in names:
            yield f"no signature {name}"
            continue
        given = signatures.inputs(name)
        yield from _shapes(name, inputs, given)
        yield from _shapes(name, outputs, signatures.outputs(name))
        if metadata.full_integer and "features" in given:
            bits = 8 * given["features"]["dtype"]().itemsize
            if bits != metadata.full_integer:
                yield f"{name}: activations of {bits} bits, not {metadata.full_integer}"


Signature = tuple[Mapping[str, Shape], Mapping[str, Shape]]  # inputs, outputs


def _whole(metadata: Metadata, names: list[str]) -> dict[str, Signature]:
    """Signatures of a recogniser of whole utterances."""
    ctc, bins = JOIN not in names, metadata.front_end.mel_bins
    classes = metadata.tokenizer.blank + 1 if ctc else None
    wanted: dict[str, Signature] = {}
    for frames, name in encode_signatures(names).items():
        encoded = subsampled_length(frames, metadata.halvings)
        output = "logits" if ctc else "encoded"
        wanted[name] = ({"features": (1, frames, bins)}, {output: (1, encoded, classes)})
    return wanted


def _live(metadata: Metadata, live: LiveFormat) -> dict[str, Signature]:
    """Signatures of a live model."""
    tables = {name: shape for shapes in live.positions.values() for name, shape in shapes.items()}
    wanted: dict[str, Signature] = {POSITIONS: ({}, tables), JOIN: ({}, {}), PREDICT: ({}, {})}
    for chunk in live.chunks:
        features = (1, chunk * live.features, metadata.front_end.mel_bins)
        for encoder, heard in ((CAUSAL, {"features": features}), (CASCADE, {})):
            states = live.states[encoder]
            wanted[f"{encoder}_{chunk}"] = ({**heard, **states}, states)
    return wanted


def _shapes(signature: str, wanted: Mapping[str, Shape], given: Mapping[str, Any]) -> Iterator[str]:
    for name, shape in wanted.items():
        if name not in given:
            yield f"{signature}: no {name}"
            continue
        found = tuple(int(size) for size in given[name]["shape"])
        if len(found) != len(shape) or any(
            want not in (None, have) for want, have in zip(shape, found, strict=True)
        ):
            yield f"{signature}: {name} of shape {list(found)}, not {list(shape)}"
