"""Code blocks of the README and of the pages in docs/."""

import dataclasses
import re
import shlex
from pathlib import Path

from tests.training_fixtures import REPOSITORY

PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    *sorted(str(path.relative_to(REPOSITORY)) for path in (REPOSITORY / "docs").rglob("*.md")),
]
PROGRAMS = ("asr-qat", "tflite-export")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
_NAME = re.compile(r"# (\S+\.yaml)\n")  # the first line of a file that is shown in full
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block."""

    language: str
    text: str

    @property
    def title(self) -> str:
        """The name of the file that it shows in full, or ""."""
        name = _NAME.match(self.text)
        return name[1] if name else ""


@dataclasses.dataclass(frozen=True)
class Command:
    """A line of a shell block.

    Attributes:
        line: as it is written, in one line.
        words: program and arguments, without comment and redirection.
        written: the file that the output goes to, or "".
    """

    line: str
    words: list[str]
    written: str

    @property
    def program(self) -> str:
        """What is run."""
        return self.words[0].removeprefix(".venv/bin/")


def text_of(page: str) -> str:
    """The Markdown of a page."""
    return (REPOSITORY / page).read_text(encoding="utf-8")


def blocks(page: str) -> list[Block]:
    """All fenced blocks of a page, in order."""
    return [Block(*found) for found in _BLOCK.findall(text_of(page))]


def commands(block: Block) -> list[Command]:
    """The commands of a shell block; those joined by `&&` apart."""
    if block.language != "sh":
        return []
    lines = block.text.replace("\\\n", " ").splitlines()
    parts = (part.strip() for line in lines for part in line.split("&&"))
    return [_command(part) for part in parts if part and not part.startswith("#")]


def spans(page: str) -> list[str]:
    """The code inside of sentences, as it is written."""
    return _SPAN.findall(_BLOCK.sub("", text_of(page)))


def titled(page: str) -> dict[str, str]:
    """The files that a page shows in full, by name."""
    return {block.title: block.text for block in blocks(page) if block.title}


def _command(line: str) -> Command:
    words = shlex.split(line, comments=True)
    written = ""
    if ">" in words:
        at = words.index(">")
        written = words[at + 1]
        words = words[:at]
    return Command(" ".join(line.split()), words, written)


def exists(name: str) -> bool:
    """Whether the repository has a file or folder of this name."""
    return (REPOSITORY / Path(name)).exists()
