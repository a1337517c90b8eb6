"""Standard output of any encoding takes any text."""

import codecs
import io
import json
import sys
from typing import TextIO

ESCAPED = "asr_qat.escaped"  # name of the handler of errors


def accept_any_text() -> None:
    r"""Print what the encoding of standard output lacks as `\u20ac`, instead of an error.

    A terminal or a pipe may be ASCII or Latin 1 (`PYTHONIOENCODING`, `LC_ALL`), and a transcript in
    Hindi is no reason to lose those after it; nor is the name of a file that is no UTF-8. JSON
    stays JSON. Who chose what happens to such characters, as in `PYTHONIOENCODING=ascii:replace`,
    has it.
    """
    for stream in (sys.stdout, sys.stderr):
        if not isinstance(stream, io.TextIOWrapper):
            continue
        # The latter prints names of files as they are, and is what Python chooses for LANG=C.
        given_back = stream.errors == "surrogateescape" and not _has_all_characters(stream)
        if stream.errors == "strict" or given_back:
            stream.reconfigure(errors=ESCAPED)


def _has_all_characters(stream: TextIO) -> bool:
    return codecs.lookup(stream.encoding).name.startswith("utf")


def _escape(error: UnicodeError) -> tuple[str, int]:
    r"""As JSON has it: `\u00e9`, two of them for a character beyond 16 bits."""
    assert isinstance(error, UnicodeEncodeError)
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error(ESCAPED, _escape)
