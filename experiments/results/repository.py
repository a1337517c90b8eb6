"""The commit that results name: it must be there for whoever reads them later."""

import subprocess
from pathlib import Path

from asr_qat.errors import UserError, require
from asr_qat.provenance import code_commit

ROOT = Path(__file__).resolve().parents[2]
DIRTY, UNKNOWN = "-dirty", "unknown"


def clean_commit() -> str:
    """The commit of the code.

    Raises:
        UserError: there is none, files differ from it, or no branch has it.
    """
    commit = code_commit()
    require(commit != UNKNOWN, f"{ROOT}: no git checkout: results must name their commit")
    require(
        not commit.endswith(DIRTY),
        f"{ROOT}: files differ from the commit {commit.removesuffix(DIRTY)}, which results would "
        "name: commit them, or stash them",
    )
    branches = _git("for-each-ref", "--contains", commit, "refs/heads", "refs/remotes")
    require(
        bool(branches),
        f"{ROOT}: the commit {commit} is in the history of no branch, and results would name it: "
        "switch to a branch that has it",
    )
    return commit


def require_in_history(path: Path, commit: str) -> None:
    """Check that the commit which a file of results names is an ancestor of the one at hand.

    Raises:
        UserError: it is not.
    """
    known = commit.removesuffix(DIRTY)
    try:
        _git("merge-base", "--is-ancestor", known, "HEAD")
    except subprocess.CalledProcessError:
        raise UserError(
            f"{path}: measured at the commit {known}, which is not in the history: measure it anew"
        ) from None


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
