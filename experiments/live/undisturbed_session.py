"""Audio in a session of its own: what a stream among others, or a long one, is compared with."""

import numpy as np

from tflite_export.runtime.live.endpoint import EndpointConfig
from tflite_export.runtime.live.events import Event, Transcript
from tflite_export.runtime.live.live_model import LiveModel
from tflite_export.runtime.live.session import Session


def events_alone(
    model: LiveModel, audio: np.ndarray, size: int, endpoint: EndpointConfig | None = None
) -> list[Event]:
    """All events of audio, float32 `[samples]`, in chunks of `size` samples."""
    session = Session(model, endpoint)
    events = [e for at in range(0, len(audio), size) for e in session.accept(audio[at : at + size])]
    return events + session.finish()


def final_text(events: list[Event]) -> str:
    """The final words among them."""
    return " ".join(
        event.text for event in events if isinstance(event, Transcript) and event.kind == "final"
    )
