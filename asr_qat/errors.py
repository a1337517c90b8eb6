"""The error that a user can mend: shown as one line, never as a traceback."""

import os
import sys
from collections.abc import Callable


class UserError(Exception):
    """Bad input. The message names the file or key and says what to do about it."""


def require(condition: bool, message: str) -> None:
    """Raise `UserError` with `message` unless `condition` holds."""
    if not condition:
        raise UserError(message)


def exit_code(program: str, main: Callable[[], object]) -> int:
    """Run `main`; a `UserError`, a full disk or an interrupt becomes one line on stderr.

    Returns:
        The exit code: 0 done, 1 user error, 130 interrupted.
    """
    try:
        main()
    except UserError as error:
        print(f"{program}: error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"{program}: error: {where}{error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr)
        return 130
    return 0
