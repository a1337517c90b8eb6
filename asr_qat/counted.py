"""Numbers of things in what is printed."""


def counted(number: int, noun: str) -> str:
    """`1 word`, `2 words`, `1,000 words`; of nouns whose plural ends in `s`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
