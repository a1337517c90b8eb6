"""What the description inside a `.tflite` may say: every field with its type and its bounds.

The bounds are wide for models and narrow for machines: within them nothing takes more than some
megabytes or a fraction of a second to set up.
"""

import math
from collections.abc import Iterator
from typing import Any

from asr_qat import plain_json
from asr_qat.audio.front_end import FrontEndConfig
from asr_qat.bounds import (
    LEAST_LOG_FLOOR,
    LEAST_STD,
    MOST_LOG_FLOOR,
    MOST_MEAN,
    MOST_MEL_BINS,
    MOST_RATE,
    MOST_STD,
    MOST_WINDOW,
)
from asr_qat.decoding.live_format import CASCADE, CAUSAL
from asr_qat.errors import UserError
from tflite_export.runtime.schema_rules import (
    FLAG,
    List,
    Map,
    Record,
    nullable,
    number,
    one_of,
    text,
    whole,
)

VERSIONS = (1, 2)  # that are read
SEALED_SINCE = 2  # files of this version and later have a checksum
METHODS = ("float", "ptq", "fake-qat", "native-qat")
MOST_DESCRIPTION_BYTES = 1 << 20
MOST_STATE_VALUES = 1 << 24  # of one state or table of a live model
SHOWN = 8  # violations in one message

NAME = text(200)
SHAPES = Map(Map(List(whole(1, 1 << 20), 1, 6)))
# Their own rules come on top, see `FrontEndConfig`.
FRONT_END = Record(
    {
        "sample_rate": whole(1, MOST_RATE),
        "frame_ms": number(0, 1000 * MOST_WINDOW),
        "hop_ms": number(0, 1000 * MOST_WINDOW),
        "mel_bins": whole(1, MOST_MEL_BINS),
        "low_hz": number(0, MOST_RATE / 2),
        "high_hz": number(0, MOST_RATE / 2),
    },
    {
        "preemphasis": number(0, 1),
        "window": NAME,
        "centred": FLAG,
        "mel_scale": NAME,
        "log_floor": number(LEAST_LOG_FLOOR, MOST_LOG_FLOOR),
        "normalization": NAME,
        "remove_offset": FLAG,
        "level": NAME,
    },
)
LIVE = Record(
    {
        "frame_ms": number(1, 10_000),
        "features": whole(1, 64),
        "chunks": List(whole(1, 1000), 1, 64),
        "left_context": whole(0, 100_000),
        "first_delay": whole(0, 10_000),
        "second_delay": whole(0, 10_000),
        "states": SHAPES,
        "positions": SHAPES,
    }
)
SOURCE = Record(
    {"name": text(1000), "sha256": NAME, "library": NAME},
    {
        "version": nullable(NAME),
        "licence": nullable(text(1000)),
        "attribution": nullable(text(10_000)),
    },
)
DESCRIPTION = Record(
    {
        "version": one_of(*VERSIONS),
        "precision": NAME,
        "method": one_of(*METHODS),
        "front_end": FRONT_END,
        "mean": List(number(-MOST_MEAN, MOST_MEAN), 1, MOST_MEL_BINS),
        "std": List(number(LEAST_STD, MOST_STD), 1, MOST_MEL_BINS),
        "layers": Map(NAME),
    },
    {
        "min_runtime_version": NAME,
        "full_integer": one_of(8, 16),
        "live": LIVE,
        "durations": List(whole(0, 1000), 1, 100),
        "subsampling_factor": one_of(*(1 << n for n in range(1, 7))),
        "source": SOURCE,
        "normalizer": NAME,
    },
)


def read_description(content: bytes) -> dict[str, Any]:
    """The description, whose fields are all as they should be.

    Raises:
        UserError: a line with all violations.
    """
    if len(content) > MOST_DESCRIPTION_BYTES:
        raise UserError(f"{len(content):,} bytes, expected at most {MOST_DESCRIPTION_BYTES:,}")
    try:
        description: dict[str, Any] = plain_json.parse(content.decode())
    except ValueError as error:
        raise UserError(f"not valid JSON ({error})") from None
    version = description.get("version") if isinstance(description, dict) else None
    if isinstance(version, int) and version > VERSIONS[-1]:
        raise UserError(f"version {version}, and this program reads up to {VERSIONS[-1]}: upgrade")
    found = list(DESCRIPTION.violations("", description)) or list(_disagreements(description))
    if found:
        more = f"; {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise UserError("; ".join(found[:SHOWN]) + more)
    return description


def _disagreements(description: dict[str, Any]) -> Iterator[str]:
    """Fields that are sound alone and do not go together."""
    front_end, live = description["front_end"], description.get("live")
    try:
        hop_ms, bins = FrontEndConfig(**front_end).hop_ms, front_end["mel_bins"]
    except UserError as error:
        yield f"front_end.{error}"
        return
    for name in ("mean", "std"):
        if len(description[name]) != bins:
            yield f"{name}: {len(description[name])} values, expected {bins}, as mel_bins says"
    if live is not None:
        yield from _live_disagreements(live, hop_ms)


def _live_disagreements(live: dict[str, Any], hop_ms: float) -> Iterator[str]:
    frame_ms, chunks = live["features"] * hop_ms, live["chunks"]
    if not math.isclose(live["frame_ms"], frame_ms, rel_tol=1e-6):
        hops = live["features"]
        yield f"live.frame_ms: {live['frame_ms']}, expected {frame_ms:g}, of {hops} hops"
    if chunks != sorted(set(chunks)) or chunks[0] != 1:
        yield f"live.chunks: {chunks}, expected 1 and more, ascending"
    if live["second_delay"] < live["first_delay"]:
        yield f"live.second_delay: {live['second_delay']}, less than first_delay"
    for part in ("states", "positions"):
        if live[part].keys() != {CAUSAL, CASCADE}:
            yield f"live.{part}: of {', '.join(live[part])}, expected {CAUSAL} and {CASCADE}"
        for encoder, shapes in live[part].items():
            for name, shape in shapes.items():
                if math.prod(shape) > MOST_STATE_VALUES:
                    yield f"live.{part}.{encoder}.{name}: {shape}, more than any model has"
