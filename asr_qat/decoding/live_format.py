"""What a live `.tflite` tells of its streams."""

import dataclasses
from typing import Any

CAUSAL, CASCADE, POSITIONS = "causal", "cascade", "positions"  # signatures, CAUSAL_1 and so on


@dataclasses.dataclass(frozen=True)
class LiveFormat:
    """How the signatures of a live file are called; see `asr_qat.models.live_signatures`.

    Attributes:
        frame_ms: milliseconds of an encoded frame.
        features: feature frames of an encoded frame.
        chunks: encoded frames of a call, ascending, a signature for each and each encoder.
        left_context: past encoded frames that a frame attends to in every block.
        first_delay: encoded frames that the causal encoder's output lags its input.
        second_delay: the same of the cascade's output and the causal encoder's input.
        states: shape of each state by name, for each encoder.
        positions: shape of each table by name, for each encoder.
    """

    frame_ms: float
    features: int
    chunks: tuple[int, ...]
    left_context: int
    first_delay: int
    second_delay: int
    states: dict[str, dict[str, tuple[int, ...]]]
    positions: dict[str, dict[str, tuple[int, ...]]]

    @property
    def delays_ms(self) -> tuple[float, float]:
        """Milliseconds that the first and the second pass lag the audio of a frame."""
        return self.first_delay * self.frame_ms, self.second_delay * self.frame_ms

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "LiveFormat":
        """The inverse of `dataclasses.asdict` by way of JSON."""
        shapes = {
            part: {
                encoder: {name: tuple(shape) for name, shape in found.items()}
                for encoder, found in content[part].items()
            }
            for part in ("states", "positions")
        }
        return cls(**{**content, **shapes, "chunks": tuple(content["chunks"])})
