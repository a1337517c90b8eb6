"""Symbols of transcripts that somebody may have spoken, and that a normaliser drops."""

import collections
import unicodedata

import regex

# Signs of currency, mathematics and the like; not accents that stand alone (Sk), typed for
# apostrophes. Of punctuation what has a name that is said.
_SPOKEN = regex.compile(r"[[\p{S}--\p{Sk}]%‰&@#§*/\\]", regex.VERSION1)


def dropped_symbols(text: str, normalized: str) -> collections.Counter[str]:
    """How often each symbol of `text` is not in `normalized`, neither itself nor as letters.

    >>> dict(dropped_symbols("5 % of £3.50 & more™", "5 OF 3 50 & MORETM"))
    {'%': 1, '£': 1}
    """
    before, after = (
        collections.Counter(_SPOKEN.findall(unicodedata.normalize("NFKC", each)))
        for each in (text, normalized)
    )
    return before - after
