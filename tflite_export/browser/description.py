"""What the page knows of a model: the metadata of its file as JSON, with what follows from them."""

import dataclasses
import hashlib
from typing import Any

from asr_qat.audio.front_end import FrontEndConfig
from tflite_export.runtime.live.endpoint import EndpointConfig
from tflite_export.runtime.metadata import Metadata

LENGTHS = ("frame_length", "hop_length", "fft_length", "padding")  # of a front end, samples


def description(
    content: bytes, metadata: Metadata, rule: EndpointConfig, about: str
) -> dict[str, Any]:
    """The object that `recognition.js` reads.

    Args:
        content: of the file that the page has.
        metadata: of it.
        rule: when an utterance ends.
        about: what the page says of the model.
    """
    live = metadata.live
    return {
        "about": about,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "front_end": front_end_description(metadata.front_end),
        "mean": metadata.mean.tolist(),
        "std": metadata.std.tolist(),
        "labels": [list(label) for label in metadata.tokenizer.label_bytes()],
        "durations": metadata.durations,
        "subsampling_factor": metadata.subsampling_factor,
        "live": None if live is None else dataclasses.asdict(live),
        "endpoint": dataclasses.asdict(rule),
    }


def front_end_description(config: FrontEndConfig) -> dict[str, Any]:
    """The object that `front_end.js` reads: all fields, and the samples that follow from them."""
    lengths = {name: getattr(config, name) for name in LENGTHS}
    return {**dataclasses.asdict(config), **lengths}
