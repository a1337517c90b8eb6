"""The targets by name, and how many cases of each the results need."""

import pkgutil

from experiments.fuzz import targets

# Of the results; other targets that there are run `OTHERS`.
CASES = {
    "audio": 5000,
    "model_file": 5000,
    "metadata": 1000,
    "folders": 1000,
    "configurations": 500,
}
OTHERS = 500


def names() -> list[str]:
    """All targets."""
    return sorted(module.name for module in pkgutil.iter_modules(targets.__path__))


def module_of(name: str) -> str:
    """The module of a target, by which a process imports it."""
    return f"{targets.__name__}.{name}"


def cases_of(name: str) -> int:
    """How many cases of a target the results need."""
    return CASES.get(name, OTHERS)
