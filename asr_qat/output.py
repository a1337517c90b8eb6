"""Standard output of any encoding takes any text."""

import codecs
import io
import sys
from typing import TextIO


def accept_any_text() -> None:
    r"""Print what the encoding of standard output lacks as `\u20ac`, instead of an error.

    A terminal or a pipe may be ASCII or Latin 1 (`PYTHONIOENCODING`, `LC_ALL`), and a transcript in
    Hindi is no reason to lose those after it; nor is the name of a file that is no UTF-8. Who chose
    what happens to such characters, as in `PYTHONIOENCODING=ascii:replace`, has it.
    """
    for stream in (sys.stdout, sys.stderr):
        if not isinstance(stream, io.TextIOWrapper):
            continue
        # The latter prints names of files as they are, and is what Python chooses for LANG=C.
        given_back = stream.errors == "surrogateescape" and not has_all_characters(stream)
        if stream.errors == "strict" or given_back:
            stream.reconfigure(errors="backslashreplace")


def has_all_characters(stream: TextIO) -> bool:
    """Whether the encoding of a stream is one of Unicode's; a stream without takes any text."""
    encoding = getattr(stream, "encoding", None)
    return encoding is None or codecs.lookup(encoding).name.startswith("utf")
