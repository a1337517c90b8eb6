"""Clients of a live server that do not behave: plain sockets, without a library that reads."""

import contextlib
import dataclasses
import itertools
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

SMALL_BUFFER = 4096  # bytes of a socket's buffers, so that nothing waits in them
HANDSHAKE = (
    "GET /stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
READY = b'"ready"'  # in the first message of the server
WAIT_S = 10.0  # for it: the server may be busy
TRY_S = 0.25  # until told to stop, or for the next connection
COME_BACK_S = 0.05  # until the next connection of those that want a place above all
LARGE = 64 * 1024  # bytes of a message: the most that the server takes, 2 s of speech
AT_WORK_S = 0.05  # less than such a message takes
TRICKLE_S = 4.0  # between two bytes of a client that only holds its place
BAD_REQUESTS = (
    "GET /stream HTTP/1.1\r\nHost: localhost\r\nOrigin: http://[::1\r\n\r\n",
    "GET /stream HTTP/1.1\r\nHost: localhost\r\nOrigin: a://b\r\nOrigin: c://d\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n",
    "POST /stream HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
    "\x16\x03\x01 no HTTP\r\n\r\n",
)


@dataclasses.dataclass
class Deeds:
    """What a client managed to do.

    Attributes:
        messages: of audio that the server took.
        closed: connections that the server ended.
        broken: connections that the client broke, with a message in work.
    """

    messages: int = 0
    closed: int = 0
    broken: int = 0


# Of host, port, 16-bit audio that it may repeat, and an event that tells it to stop.
Client = Callable[[str, int, bytes, threading.Event], Deeds]


def open_stream(host: str, port: int) -> socket.socket:
    """A WebSocket on which the server has said that it is ready; nobody reads on from it.

    Raises:
        OSError: no server, or one that has no place.
    """
    plain = socket.socket()
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        plain.setsockopt(socket.SOL_SOCKET, option, SMALL_BUFFER)
    plain.settimeout(WAIT_S)
    try:
        plain.connect((host, port))
        plain.sendall(HANDSHAKE.encode())
        said = b""
        while READY not in said:
            part = plain.recv(SMALL_BUFFER)
            if not part:
                raise ConnectionError("closed before it was ready")
            said += part
    except OSError:
        plain.close()
        raise
    plain.settimeout(TRY_S)
    return plain


def frame(content: bytes) -> bytes:
    """A binary message of a client as it goes over the wire, with a mask of zeros."""
    return b"\x82\xff" + len(content).to_bytes(8, "big") + bytes(4) + content


def stalls(host: str, port: int, audio: bytes, stop: threading.Event) -> Deeds:
    """Sends large messages as fast as the server takes them, and takes no word of it."""
    return _send(host, port, _messages(audio), stop, reads=False)


def floods(host: str, port: int, audio: bytes, stop: threading.Event) -> Deeds:
    """Sends large messages as fast as the server takes them, and reads what it says."""
    return _send(host, port, _messages(audio), stop, reads=True)


def disconnects(host: str, port: int, audio: bytes, stop: threading.Event) -> Deeds:
    """Sends a large message and breaks the connection while the server is at work, on and on."""
    deeds, messages = Deeds(), _messages(audio)
    while not stop.wait(TRY_S):
        with contextlib.suppress(OSError), open_stream(host, port) as plain:
            if _sent(plain, next(messages), stop):
                deeds.messages += 1
                stop.wait(AT_WORK_S)
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                deeds.broken += 1
    return deeds


def trickles(host: str, port: int, audio: bytes, stop: threading.Event) -> Deeds:
    """Sends one sample every four seconds to hold its place, and comes back when it has lost it."""
    deeds = Deeds()
    while not stop.is_set():
        with contextlib.suppress(OSError), open_stream(host, port) as plain:
            try:
                while not stop.is_set():
                    plain.sendall(frame(audio[:2]))
                    deeds.messages += 1
                    _listen(plain, TRICKLE_S, stop)
            except OSError:
                deeds.closed += 1
        stop.wait(COME_BACK_S)
    return deeds


def violates(host: str, port: int, audio: bytes, stop: threading.Event) -> Deeds:
    """Sends what no message is in turn: an odd byte, a text, a frame without a mask."""
    wires = itertools.cycle([frame(audio[:1]), b"\x81\x82\0\0\0\0{}", b"\x82\x02ab"])
    deeds = Deeds()
    while not stop.is_set():
        with contextlib.suppress(OSError), open_stream(host, port) as plain:
            plain.sendall(next(wires))
            deeds.messages += 1
            try:
                _listen(plain, WAIT_S, stop)
            except OSError:
                deeds.closed += 1
        stop.wait(COME_BACK_S)
    return deeds


def asks(host: str, port: int, audio: bytes, stop: threading.Event) -> Deeds:
    """Asks for what nobody gets, and now and then for nothing at all."""
    wires = itertools.cycle([*map(str.encode, BAD_REQUESTS), b""])
    deeds = Deeds()
    while not stop.is_set():
        with (
            contextlib.suppress(OSError),
            socket.create_connection((host, port), WAIT_S) as plain,
        ):
            plain.settimeout(TRY_S)
            plain.sendall(next(wires))
            deeds.messages += 1
            try:
                _listen(plain, COME_BACK_S, stop)
            except OSError:
                deeds.closed += 1
        stop.wait(COME_BACK_S)
    return deeds


def _messages(audio: bytes) -> Iterator[bytes]:
    """Large messages of audio, from the beginning on again when it is through."""
    return itertools.cycle([frame(audio[at : at + LARGE]) for at in range(0, len(audio), LARGE)])


def _send(
    host: str, port: int, messages: Iterator[bytes], stop: threading.Event, reads: bool
) -> Deeds:
    """Connect, and again when the server has closed."""
    deeds = Deeds()
    while not stop.wait(TRY_S):
        with contextlib.suppress(OSError), open_stream(host, port) as plain:
            try:
                while _sent(plain, next(messages), stop):
                    deeds.messages += 1
                    if reads:
                        _drain(plain)
            except OSError:
                deeds.closed += 1
    return deeds


def _sent(plain: socket.socket, wire: bytes, stop: threading.Event) -> bool:
    """Send a message however long the other side takes; False if told to stop meanwhile."""
    at = 0
    while at < len(wire) and not stop.is_set():
        with contextlib.suppress(TimeoutError):
            at += plain.send(wire[at:])
    return at == len(wire)


def _listen(plain: socket.socket, seconds: float, stop: threading.Event) -> None:
    """Read what comes for so long, or until told to stop.

    Raises:
        OSError: the server has closed.
    """
    end = time.monotonic() + seconds
    while not stop.is_set() and time.monotonic() < end:
        with contextlib.suppress(TimeoutError):
            if not plain.recv(SMALL_BUFFER):
                raise ConnectionError("closed by the server")


def _drain(plain: socket.socket) -> None:
    """Read what has come, without waiting for more.

    Raises:
        OSError: the server has closed.
    """
    while select.select([plain], [], [], 0)[0]:
        if not plain.recv(SMALL_BUFFER):
            raise ConnectionError("closed by the server")
