"""Events for people and programs to read: a line of a terminal, plain lines, JSON lines."""

import json
import shutil
import sys
from typing import TextIO

from tflite_export.runtime.live.events import Event, Notice, Transcript, event_message

CLEAR = "\r\x1b[K"
DIM, NORMAL = "\x1b[2m", "\x1b[0m"


class Screen:
    """Shows events as they come.

    On a terminal the words of an utterance stand on the last line, dim as long as they may
    change, until they are final. Without a terminal only final words are printed, a line for each
    utterance. Notices go to standard error.

    Args:
        json_lines: print every event as an object of JSON instead.
        out: for words.
        err: for notices.
    """

    def __init__(
        self, json_lines: bool = False, out: TextIO | None = None, err: TextIO | None = None
    ):
        self._json, self._out, self._err = json_lines, out or sys.stdout, err or sys.stderr
        self._in_place = not json_lines and self._out.isatty()

    def show(self, event: Event) -> None:
        """Print an event."""
        if self._json:
            print(json.dumps(event_message(event), ensure_ascii=False), file=self._out, flush=True)
        elif isinstance(event, Notice):
            self.clear()
            print(f"({event.text})", file=self._err, flush=True)
        elif event.kind == "final":
            self.clear()
            if event.words:
                print(event.text, file=self._out, flush=True)
        elif self._in_place:
            self.clear()
            print(_line(event, shutil.get_terminal_size().columns), end="", file=self._out)
            self._out.flush()

    def clear(self) -> None:
        """Empty the last line of a terminal."""
        if self._in_place:
            print(CLEAR, end="", file=self._out, flush=True)


def _line(event: Transcript, columns: int) -> str:
    """The end of the text that fits on a line, words that may change in dim."""
    stable = " ".join(word.text for word in event.words[: event.stable])
    text = event.text
    cut = max(0, len(text) - (columns - 1))
    if cut:
        cut += 1  # for the mark of what is left out
    shown = ("…" if cut else "") + text[cut : max(cut, len(stable))]
    return f"{shown}{DIM}{text[max(cut, len(stable)) :]}{NORMAL}"
