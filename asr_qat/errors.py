"""The error that a user can fix: shown as one line, never as a traceback."""

import os
import sys
from collections.abc import Callable

# Modules of the extras in setup.cfg, and which extra has them.
EXTRAS = {
    "av": "media",
    "litert_quantizer": "train",
    "h5py": "train",
    "jinja2": "experiments",
    "kenlm": "lm",
    "matplotlib": "experiments",
    "pandas": "experiments",
    "prometheus_client": "live",
    "pyarrow": "hf",
    "pydantic": "train",
    "safetensors": "train",
    "sounddevice": "live",
    "ray": "ray",
    "tensorflow": "train",
    "tensorflow_io": "cloud",
    "tensorflow_model_optimization": "train",
    "tf_keras": "train",
    "websockets": "live",
}
NEWEST_TRAINING_PYTHON = (3, 12)  # that TensorFlow 2.17 is there for


class UserError(Exception):
    """Bad input. The message names the file or key and says what to do about it."""


def require(condition: bool, message: str) -> None:
    """Raise `UserError` with `message` unless `condition` holds."""
    if not condition:
        raise UserError(message)


def exit_code(program: str, main: Callable[[], object]) -> int:
    """Run `main`; an error that a user can fix or an interrupt becomes one line on stderr.

    Such errors are `UserError`, those of the operating system, a full disk say, and a module
    of an extra that was not installed.

    Returns:
        The exit code: 0 done, 1 user error, 130 interrupted.
    """
    try:
        main()
    except UserError as error:
        return _say(program, error)
    except BrokenPipeError:  # the reader, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _say(program, f"{where}{error.strerror or error}")
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name not in EXTRAS:
            raise
        return _say(program, _missing(name))
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr)
        return 130
    return 0


def _missing(name: str) -> str:
    """What to do about a module of an extra."""
    extra = EXTRAS[name]
    if extra == "train" and sys.version_info[:2] > NEWEST_TRAINING_PYTHON:
        found = ".".join(map(str, sys.version_info[:2]))
        return f"needs {name}, which is not there for Python {found}: train and convert on 3.11"
    return f"needs {name}: pip install 'asr-qat[{extra}]'"


def _say(program: str, error: object) -> int:
    """Print one line, whatever line breaks the message has. Returns the exit code."""
    print(f"{program}: error: {' '.join(str(error).split())}", file=sys.stderr)
    return 1
