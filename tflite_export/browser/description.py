"""What the page knows of a model: the metadata of its file as JSON, with what follows from them."""

import dataclasses
import hashlib
from typing import Any

from tflite_export.runtime.live.endpoint import EndpointConfig
from tflite_export.runtime.metadata import Metadata


def description(
    content: bytes, metadata: Metadata, rule: EndpointConfig, about: str
) -> dict[str, Any]:
    """The object that `live_model.js` and `page.js` read.

    Args:
        content: of the file that the page has.
        metadata: of it.
        rule: when an utterance ends.
        about: what the page says of the model.
    """
    front_end, live = metadata.front_end, metadata.live
    lengths = ("frame_length", "hop_length", "fft_length", "padding")
    return {
        "about": about,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "front_end": {
            **dataclasses.asdict(front_end),
            **{name: getattr(front_end, name) for name in lengths},
        },
        "mean": metadata.mean.tolist(),
        "std": metadata.std.tolist(),
        "labels": [list(label) for label in metadata.tokenizer.label_bytes()],
        "live": None if live is None else dataclasses.asdict(live),
        "endpoint": dataclasses.asdict(rule),
    }
