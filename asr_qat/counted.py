"""Numbers of things, and times, in what is printed."""


def counted(number: int, noun: str) -> str:
    """`1 word`, `2 words`, `1,000 words`; of nouns whose plural ends in `s`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def time_of_audio(seconds: float) -> str:
    """`8.4 s`, `3.2 min`, `4.88 h`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.2f} h"
