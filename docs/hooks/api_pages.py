"""A page of the Python API for each package of `asr_qat` and `tflite_export`.

mkdocstrings fills them from the docstrings.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from mkdocs.structure.files import File, Files

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("asr_qat", "tflite_export")
OMITTED = ("commands", "cli", "parser")  # see the page of the commands


def on_files(files: Files, config) -> Files:
    """Add the pages."""
    for package in PACKAGES:
        root = REPOSITORY / package
        rooms = [root, *(path.parent for path in sorted(root.glob("*/__init__.py")))]
        for room in rooms:
            if room.name in OMITTED:
                continue
            name = _dotted(room)
            modules = sorted(_modules(room, deep=room != root), key=_dotted)
            directives = "".join(f"\n::: {_dotted(module)}\n" for module in modules)
            text = f"# {name}\n\n{_docstring(room / '__init__.py')}\n{directives}"
            files.append(File.generated(config, f"reference/api/{name}.md", content=text))
    return files


def _modules(room: Path, deep: bool) -> Iterator[Path]:
    for path in room.rglob("*.py") if deep else room.glob("*.py"):
        if path.stem != "__init__" and path.stem not in OMITTED:
            yield path


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)


def _docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
