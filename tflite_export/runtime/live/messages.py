"""What a client and the server say to each other over a WebSocket.

The client opens `ws://HOST:PORT/stream`, waits for `ready`, and sends

- binary messages: audio, 16-bit samples (PCM, signed, little endian), one channel, at the rate
  that `ready` names; one sample or more, up to `max_message_bytes`, 100 ms say (one that goes on
  sending more than 50 messages of less than 64 bytes in a second, or pings, is broken off);
- the text `{"type": "end"}`: there is no more; the server answers with the last words and `end`.

The server sends JSON texts:

- `{"type": "ready", "sample_rate": 16000, "max_message_bytes": ..., "idle_s": ...}`;
- `{"type": "partial" | "corrected" | "final", "utterance": 0, "text": "...", "words": [{"text",
  "start_s", "end_s"}], "stable": 2, "heard_s": 1.2}`: see
  `tflite_export.runtime.live.events.Transcript`;
  times of a word are those at which the model wrote it, not from where to where it is spoken;
- `{"type": "notice", "kind": "silence" | "clipping" | "invalid" | "late", "text": "...",
  "value": ..., "heard_s": ...}`: see `Notice` there;
- `{"type": "end"}`, then it closes.

`ready` comes when the client has a place. Where others wait for one, a client loses its place when
it sends less audio than half the pace of speech, or does not read: see
`tflite_export.runtime.live.pace`.

It closes with one of the codes below, and a reason in words. A client that sends faster than the
server recognises is not read from for a while: its own socket makes it wait. It must read while it
sends: a server whose answers nobody takes does not read either, and closes with `NOT_READING`.
"""

import json
from typing import Any

import numpy as np

from asr_qat.arrays import Array

DONE = 1000  # after `end`
GOING_AWAY = 1001  # the server stops
NOT_UNDERSTOOD = 1003  # a text that is not `end`, no samples, an odd number of bytes
LOST = 1006  # nobody closed: the connection broke
TOO_BIG = 1009  # a message above `max_message_bytes`
BROKEN = 1011  # an error of the server
FULL = 1013  # too many streams, or the server has to start its recogniser again: try again later
IDLE = 4000  # no message for `idle_s`; the last words came before
NOT_READING = 4001  # the client did not take a message for `idle_s`
SLOW = 4002  # too little audio, for `idle_s`, or while another client waited for the place
# Those that end a stream, also by a fault in the protocol, which websockets finds.
CODES = {*range(DONE, 1016), IDLE, NOT_READING, SLOW}

END: dict[str, Any] = {"type": "end"}
SAMPLE_BYTES = 2


class NotUnderstoodError(Exception):
    """A message that means nothing; says what is wrong."""


def check_audio(message: bytes) -> None:
    """Raise `NotUnderstoodError` for a binary message that is not 16-bit samples."""
    if not message:
        raise NotUnderstoodError("a message without samples")
    if len(message) % SAMPLE_BYTES:
        raise NotUnderstoodError("an odd number of bytes: expected 16-bit samples")


def samples_of(message: bytes) -> Array:
    """Audio of a binary message, float32 `[samples]` in [-1, 1)."""
    return np.frombuffer(message, "<i2").astype(np.float32) / 32768


def message_of(samples: Array) -> bytes:
    """The binary message of audio, float32 `[samples]`, rounded to 16 bits."""
    rounded: Array = np.clip(np.round(samples * 32768), -32768, 32767).astype("<i2")
    return rounded.tobytes()


def check_end(message: str) -> None:
    """Raise `NotUnderstoodError` for a text message that is not `end`."""
    try:
        content = json.loads(message)
    except (ValueError, RecursionError):
        content = None
    if content != END:
        raise NotUnderstoodError('expected binary audio or {"type": "end"}')
