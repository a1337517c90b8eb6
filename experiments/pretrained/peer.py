"""Scripts that run in another environment: that of the library that a network comes from."""

import subprocess
from pathlib import Path

from asr_qat.errors import UserError

FOLDER = Path(__file__).resolve().parent
LAST_LINES = 5  # of what a script said before it failed


def run_script(python: Path, script: str, *words: str | Path) -> None:
    """Run a script of this folder with another Python.

    Args:
        python: of the environment, `nemo_env/bin/python`.
        script: name of the file.
        words: its arguments.

    Raises:
        UserError: no such Python, or the script failed.
    """
    command = [str(python), str(FOLDER / script), *map(str, words)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        raise UserError(f"{python}: cannot be run: {error.strerror or error}") from None
    if done.returncode:
        said = "\n".join(done.stderr.strip().splitlines()[-LAST_LINES:])
        raise UserError(f"{script} failed in the environment of {python}:\n{said}")
