"""The recognition of many streams, one job after the other, in a thread or a process of its own.

Jobs come over a connection, and each is answered in turn. State belongs to the `Session` of a
stream, weights are there once for all.
"""

import json
import signal
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import NamedTuple

from asr_qat.errors import UserError
from tflite_export.runtime.live import messages
from tflite_export.runtime.live.encoder import delays_ms
from tflite_export.runtime.live.endpoint import EndpointConfig
from tflite_export.runtime.live.events import Event, event_message
from tflite_export.runtime.live.live_model import LiveModel
from tflite_export.runtime.live.session import Session


class ModelInfo(NamedTuple):
    """What the server says of a model, and cuts audio by.

    Attributes:
        sample_rate: samples per second.
        turn_samples: of the encoder's longest step: the audio of a job, at most.
        frame_s: seconds of a frame of the encoder.
        first_ms: milliseconds that the first pass sees ahead.
        second_ms: the same of the second pass.
    """

    sample_rate: int
    turn_samples: int
    frame_s: float
    first_ms: float
    second_ms: float


class Hear(NamedTuple):
    """The next audio of a stream.

    Attributes:
        stream: its number; a new one begins with its first job.
        audio: 16-bit samples.
        arrived: when its message did, on `time.perf_counter`, which processes share.
        message_samples: of the whole message, with its last audio; else 0.
    """

    stream: int
    audio: bytes
    arrived: float
    message_samples: int


class Finish(NamedTuple):
    """A stream is over: its last words; `arrived`: when that was known."""

    stream: int
    arrived: float | None


class Forget(NamedTuple):
    """Nobody asks for the stream any more."""

    stream: int


Job = Hear | Finish | Forget


class Answer(NamedTuple):
    """To a job.

    Attributes:
        texts: events as JSON, for the client.
        error: what went wrong; the stream is then over.
    """

    texts: list[str]
    error: str = ""


def run_process(
    load: Callable[[], LiveModel], endpoint: EndpointConfig, connection: Connection
) -> None:
    """A worker in a process: loads the model, says what it is or the user's error, and works.

    It ends with the process that started it, which alone minds signals.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        model = load()
    except (UserError, OSError) as error:
        connection.send(UserError(str(error)))
        return
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    work(model, endpoint, connection)


def work(model: LiveModel, endpoint: EndpointConfig, connection: Connection) -> None:
    """Say what the model is, then answer jobs until the connection is closed."""
    sessions: dict[int, Session] = {}
    try:
        connection.send(model_info(model))
        while True:
            connection.send(_answer(connection.recv(), sessions, model, endpoint))
    except (EOFError, OSError):
        return


def model_info(model: LiveModel) -> ModelInfo:
    """Of a model."""
    first_ms, second_ms = delays_ms(model.encoder)
    turn = Session(model).turn_samples
    return ModelInfo(
        model.front_end.sample_rate, turn, model.encoder.frame_ms / 1000, first_ms, second_ms
    )


def _answer(
    job: Job, sessions: dict[int, Session], model: LiveModel, endpoint: EndpointConfig
) -> Answer:
    if isinstance(job, Forget):
        sessions.pop(job.stream, None)
        return Answer([])
    try:
        if job.stream not in sessions:
            sessions[job.stream] = Session(model, endpoint)
        events = _events(job, sessions[job.stream])
        return Answer([json.dumps(event_message(event), ensure_ascii=False) for event in events])
    except Exception:  # of one stream: the others go on
        sessions.pop(job.stream, None)
        return Answer([], traceback.format_exc())


def _events(job: Hear | Finish, session: Session) -> list[Event]:
    if isinstance(job, Finish):
        return session.finish(job.arrived)
    events = session.hear(messages.samples_of(job.audio))
    if job.message_samples:
        events += session.processed(job.arrived, job.message_samples)
    return events
