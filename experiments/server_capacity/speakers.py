"""Clients that speak at the pace of speech, many in one loop: what they cost is little.

Their audio is in the form of the wire before they begin.
"""

import dataclasses
import heapq
import json
import selectors
import socket
import struct
import time
from collections.abc import Sequence
from typing import Any

from asr_qat.errors import UserError
from experiments.live.rough_clients import HANDSHAKE, frame

TEXT, CLOSE = 1, 8  # opcodes
END = b"\x81\x8f" + bytes(4) + b'{"type": "end"}'
LONGEST_S = 30.0  # for the last words


@dataclasses.dataclass
class Heard:
    """What one speaker had from the server.

    Attributes:
        wait_s: from its connection until it had a place, or was refused.
        answers_s: to each message with words, from when the last chunk that it has heard was due.
        finals: texts.
        code: that the server closed with; None if it broke off.
    """

    wait_s: float = 0.0
    answers_s: list[float] = dataclasses.field(default_factory=list)
    finals: list[str] = dataclasses.field(default_factory=list)
    code: int | None = None


def wire(audio: bytes, chunk_bytes: int) -> list[bytes]:
    """The messages of 16-bit audio, and the end."""
    return [frame(audio[at : at + chunk_bytes]) for at in range(0, len(audio), chunk_bytes)] + [END]


def speak(address: tuple[str, int], wires: Sequence[list[bytes]], chunk_s: float) -> list[Heard]:
    """Say them all at once, their chunks spread over time as those of strangers are.

    Args:
        address: of the server.
        wires: the messages of each, see `wire`.
        chunk_s: seconds from one to the next.

    Raises:
        UserError: the server says nothing any more.
    """
    selector, due = selectors.DefaultSelector(), _Due()
    begin = time.perf_counter()
    speakers = [_Speaker(address, messages, chunk_s, selector) for messages in wires]
    for at, speaker in enumerate(speakers):
        due.at(begin + at * chunk_s / len(speakers), speaker)
    while any(not speaker.over for speaker in speakers):
        ready = selector.select(due.left() if due else LONGEST_S)
        if not ready and not due:
            raise UserError(f"the server has said nothing for {LONGEST_S:g} s")
        for key, _ in ready:
            next_at = key.data.read()
            if next_at is not None:
                due.at(next_at, key.data)
        while due and due.left() <= 0:
            speaker = due.pop()
            next_at = speaker.act()
            if next_at is not None:
                due.at(next_at, speaker)
    return [speaker.heard for speaker in speakers]


class _Due:
    """Who acts next."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, _Speaker]] = []
        self._count = 0

    def __bool__(self) -> bool:
        return bool(self._heap)

    def at(self, when: float, speaker: "_Speaker") -> None:
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, speaker))

    def left(self) -> float:
        return max(0.0, self._heap[0][0] - time.perf_counter())

    def pop(self) -> "_Speaker":
        return heapq.heappop(self._heap)[2]


class _Speaker:
    """One client: connects, waits for `ready`, sends a chunk whenever one is due."""

    def __init__(
        self,
        address: tuple[str, int],
        messages: list[bytes],
        chunk_s: float,
        selector: selectors.BaseSelector,
    ):
        self._address, self._messages, self._chunk_s = address, messages, chunk_s
        self._selector = selector
        self._socket: socket.socket | None = None
        self._connected = self._ready = 0.0
        self._sent = 0
        self._came, self._waits = b"", b""  # read and not understood yet; not sent yet
        self.heard, self.over = Heard(), False

    def act(self) -> float | None:
        """Connect, or send the next chunk. Gives when the one after it is due."""
        if self._socket is None:
            self._connected = time.perf_counter()
            self._socket = socket.create_connection(self._address)
            self._socket.sendall(HANDSHAKE.encode())
            self._socket.setblocking(False)
            self._selector.register(self._socket, selectors.EVENT_READ, self)
            return None
        if self.over:
            return None
        self._waits += self._messages[self._sent]
        self._sent += 1
        try:
            self._waits = self._waits[self._socket.send(self._waits) :]
        except BlockingIOError:  # with the next one
            pass
        except OSError:
            self._end()
        if self._sent == len(self._messages):
            return None
        last = self._sent + 1 == len(self._messages)  # the end follows the last chunk at once
        return self._due(self._sent if last else self._sent + 1)

    def read(self) -> float | None:
        """Take what came. Gives when the first chunk is due, if that is known now."""
        assert self._socket is not None
        try:
            part = self._socket.recv(1 << 16)
        except BlockingIOError:
            return None
        except OSError:
            part = b""
        if not part:
            self._end()
            return None
        self._came += part
        if self._came.startswith(b"HTTP"):
            head, end, self._came = self._came.partition(b"\r\n\r\n")
            if not end:
                self._came = head
                return None
        begins = None
        for opcode, content in self._frames():
            if opcode == CLOSE:
                self.heard.code = struct.unpack(">H", content[:2])[0] if content else None
                self._end()
            elif opcode == TEXT:
                begins = self._understand(json.loads(content)) or begins
        return begins

    def _understand(self, message: dict[str, Any]) -> float | None:
        now = time.perf_counter()
        if message["type"] == "ready":
            self._ready, self.heard.wait_s = now, now - self._connected
            return self._due(1)
        if "words" in message:
            chunk = round(message["heard_s"] / self._chunk_s + 0.4999)  # the one that it ends in
            chunks = len(self._messages) - 1
            self.heard.answers_s.append(now - self._due(min(max(1, chunk), chunks)))
            if message["type"] == "final":
                self.heard.finals.append(message["text"])
        return None

    def _due(self, chunk: int) -> float:
        """When so many chunks are spoken."""
        return self._ready + chunk * self._chunk_s

    def _frames(self) -> list[tuple[int, bytes]]:
        """Frames that are there as a whole; a server's have no mask."""
        found = []
        while len(self._came) >= 2:
            length, at = self._came[1], 2
            for mark, size in ((126, 2), (127, 8)):
                if length == mark:
                    length, at = int.from_bytes(self._came[2 : 2 + size], "big"), 2 + size
                    break
            if len(self._came) < at + length:
                break
            found.append((self._came[0] & 15, self._came[at : at + length]))
            self._came = self._came[at + length :]
        return found

    def _end(self) -> None:
        assert self._socket is not None
        if not self.over:
            self.over = True
            self.heard.wait_s = self.heard.wait_s or time.perf_counter() - self._connected
            self._selector.unregister(self._socket)
            self._socket.close()
