"""Regular expressions that choose layers by their names."""

import re

from asr_qat.bounds import require_within
from asr_qat.errors import UserError

LONGEST = 10_000  # characters: an alternative for each of hundreds of layers


def check_pattern(key: str, pattern: str) -> None:
    """Raise `UserError`, which names the `key`, unless `pattern` can be searched for."""
    require_within(f"{key}: characters of a pattern", len(pattern), 0, LONGEST)
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise UserError(f"{key}: '{pattern[:200]}' is not a regular expression ({error})") from None
