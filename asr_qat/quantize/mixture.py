"""A mixed precision in a file of its own: `overrides_from` of a `QuantizationConfig`.

overrides:
  ^block_00_ffn1_expand$: w4a8
  ^block_00_ffn1_project$: w8a8
"""

import dataclasses
from pathlib import Path

import yaml

from asr_qat import files
from asr_qat.config import load_yaml
from asr_qat.quantize.patterns import check_pattern
from asr_qat.quantize.precision import parse


@dataclasses.dataclass(frozen=True)
class Mixture:
    """What the file holds.

    Attributes:
        overrides: precision by regular expression on the layer's name.
    """

    overrides: dict[str, str]

    def __post_init__(self) -> None:
        """Raise `UserError` for an unknown precision or an invalid pattern."""
        check_overrides(self.overrides)


def check_overrides(overrides: dict[str, str]) -> None:
    """Raise `UserError` for an unknown precision or an invalid pattern."""
    for pattern, name in overrides.items():
        parse(name)
        check_pattern("overrides", pattern)


def with_mixture(overrides: dict[str, str], path: str | Path) -> dict[str, str]:
    """`overrides`, then those in a file.

    Raises:
        UserError: naming the file that is missing or another.
    """
    others = load_yaml(path, Mixture).overrides
    return overrides | {k: v for k, v in others.items() if k not in overrides}


def write_mixture(path: str | Path, overrides: dict[str, str], comment: str) -> None:
    """Write overrides, with a comment of one line or more above them."""
    head = "".join(f"# {line}\n" for line in comment.splitlines())
    body = yaml.safe_dump({"overrides": overrides}, sort_keys=False, width=1000)
    files.write_text(path, head + body)
