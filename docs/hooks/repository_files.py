"""Pages and files of the repository outside docs/, as parts of the site.

Markdown links are written as on the repository's own pages, relative to the file: those that leave
docs/ are rewritten to where the site has the same file.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

REPOSITORY = Path(__file__).resolve().parents[2]
ADDED = (
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "LICENSE",
    "configs/*.yaml",
    "data/README.md",
    "deploy/*",
    "examples/*.py",
    "models/*/README.md",
    "notebooks/*.ipynb",
    "results/**/*",
)
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)")
NOT_SEARCHED = "---\nsearch:\n  exclude: true\n---\n"  # tables of numbers


def on_files(files: Files, config) -> Files:
    """Add the repository's files under their own paths."""
    for pattern in ADDED:
        for path in sorted(REPOSITORY.glob(pattern)):
            name = path.relative_to(REPOSITORY).as_posix()
            if path.is_dir():
                continue
            if name.startswith("results/") and path.suffix == ".md":
                text = NOT_SEARCHED + path.read_text(encoding="utf-8")
                files.append(File.generated(config, name, content=text))
            else:
                files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, **_) -> str:
    """Rewrite links between docs/ and the rest of the repository."""
    uri = page.file.src_uri
    outside = (REPOSITORY / uri).is_file()  # a page of the repository, not of docs/
    here = posixpath.dirname(uri if outside else f"docs/{uri}")

    def rewritten(match: re.Match) -> str:
        target = posixpath.normpath(posixpath.join(here, match[1]))
        if target == "README.md":
            target = "docs/index.md"
        target = target.removeprefix("docs/")
        return posixpath.relpath(target, posixpath.dirname(uri) or ".")

    return LINK.sub(rewritten, markdown)
