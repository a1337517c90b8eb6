"""Clients of a live server that do not behave: plain sockets, without a library that reads."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable

SMALL_BUFFER = 4096  # bytes of a socket's buffers, so that nothing waits in them
HANDSHAKE = (
    "GET /stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)

Client = Callable[[str, int, bytes, threading.Event], int]


def open_stream(host: str, port: int) -> socket.socket:
    """A WebSocket that nobody reads from."""
    plain = socket.socket()
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        plain.setsockopt(socket.SOL_SOCKET, option, SMALL_BUFFER)
    plain.connect((host, port))
    plain.sendall(HANDSHAKE.encode())
    return plain


def frame(content: bytes) -> bytes:
    """A binary message of a client as it goes over the wire, with a mask of zeros."""
    return b"\x82\xff" + len(content).to_bytes(8, "big") + bytes(4) + content


def stalls(host: str, port: int, message: bytes, stop: threading.Event) -> int:
    """Sends audio at the pace of speech, takes no word of it. Returns its messages."""
    return _send(host, port, message, stop, len(message) / 32000)


def floods(host: str, port: int, message: bytes, stop: threading.Event) -> int:
    """Sends as fast as the socket takes it. Returns its messages."""
    return _send(host, port, message, stop, 0.0)


def disconnects(host: str, port: int, message: bytes, stop: threading.Event) -> int:
    """Sends a message and breaks the connection, four times a second. Returns how often."""
    count = 0
    while not stop.wait(0.25):
        with contextlib.suppress(OSError), open_stream(host, port) as plain:
            plain.sendall(frame(message))
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        count += 1
    return count


def _send(host: str, port: int, message: bytes, stop: threading.Event, pause_s: float) -> int:
    """Connect, and again when the server has closed."""
    count, wire = 0, frame(message)
    while not stop.is_set():
        with contextlib.suppress(OSError), open_stream(host, port) as plain:
            plain.settimeout(1.0)
            while not stop.wait(pause_s):
                if _sent(plain, wire, stop):
                    count += 1
        stop.wait(0.25)
    return count


def _sent(plain: socket.socket, wire: bytes, stop: threading.Event) -> bool:
    """Send a message however long the other side takes; False if told to stop meanwhile."""
    at = 0
    while at < len(wire) and not stop.is_set():
        with contextlib.suppress(TimeoutError):
            at += plain.send(wire[at:])
    return at == len(wire)
