"""The oldest LiteRT that computes a file as it is meant: some older ones do not, without a word.

Measured by `python -m experiments.runtimes` in all versions from `OLDEST` on, with the interpreter
and with `CompiledModel`: see results/runtimes.md.
"""

import re
from collections.abc import Iterable
from importlib.metadata import version

from asr_qat.errors import UserError

OLDEST = "1.2.0"  # that was tried
# By what a precision's name has: two bits or one, with float activations and with others; blocks;
# weights in 4 bits with static activations. The first that fits counts.
LEAST = (
    (r"w[12]$", "2.1.0"),
    (r"w[12]|.*-b", "2.1.2"),
    (r"w[34]a8s", "1.3.0"),
)


def least_runtime(precisions: Iterable[str]) -> str:
    """The least version of LiteRT for products of these precisions.

    >>> least_runtime(["w4a8", "w2a8"])
    '2.1.2'
    """
    needed = [OLDEST]
    for name in precisions:
        needed += [least for pattern, least in LEAST if re.match(pattern, name)][:1]
    return max(needed, key=number)


def require_runtime(path: object, least: str) -> None:
    """Raise `UserError` that names the file if LiteRT is older than `least`."""
    found = version("ai-edge-litert")
    if number(found) < number(least):
        raise UserError(
            f"{path}: needs LiteRT {least} or later, this is {found}: "
            "`pip install --upgrade ai-edge-litert`, or convert it with another --precision"
        )


def number(text: str) -> tuple[int, ...]:
    """The numbers of a version, by which versions are compared."""
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])
