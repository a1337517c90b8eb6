"""What the synthetic corpus says: commands, spelled strings, numbers, dates and addresses.

The kinds of AN4, over some 120 words. Strings are drawn at random, so that words must be
heard: only the commands and the form of dates and addresses can be learnt by heart.
"""

import random
import string

LETTERS = tuple(string.ascii_uppercase)
DIGITS = tuple("ZERO ONE TWO THREE FOUR FIVE SIX SEVEN EIGHT NINE".split())
TEENS = tuple(
    "TEN ELEVEN TWELVE THIRTEEN FOURTEEN FIFTEEN SIXTEEN SEVENTEEN EIGHTEEN NINETEEN".split()
)
TENS = tuple("TWENTY THIRTY FORTY FIFTY SIXTY SEVENTY EIGHTY NINETY".split())
ORDINALS = tuple("FIRST SECOND THIRD FOURTH FIFTH SIXTH SEVENTH EIGHTH NINTH".split())
HIGH_ORDINALS = tuple(
    "TENTH ELEVENTH TWELFTH THIRTEENTH FOURTEENTH FIFTEENTH SIXTEENTH SEVENTEENTH EIGHTEENTH "
    "NINETEENTH TWENTIETH THIRTIETH".split()
)
MONTHS = tuple(
    "JANUARY FEBRUARY MARCH APRIL MAY JUNE JULY AUGUST SEPTEMBER OCTOBER NOVEMBER DECEMBER".split()
)
COMMANDS = tuple("ENTER ERASE GO HELP NO REPEAT RUBOUT START STOP YES".split())
STREETS = tuple("OAK MAPLE PINE CEDAR MAIN PARK LAKE HILL RIVER CHURCH".split())
WAYS = tuple("STREET AVENUE ROAD LANE DRIVE COURT".split())

VOCABULARY = frozenset(
    [*LETTERS, *DIGITS, *TEENS, *TENS, *ORDINALS, *HIGH_ORDINALS, *MONTHS, *COMMANDS, *STREETS]
    + [*WAYS]
)


def sentence(chance: random.Random) -> str:
    """The words of one utterance, drawn with `chance`."""
    kinds = (_command, _spelled, _spelled, _digits, _date, _address)
    return " ".join(chance.choice(kinds)(chance))


def _command(chance: random.Random) -> list[str]:
    words = [chance.choice(COMMANDS)]
    if chance.random() < 0.6:
        words += chance.choices(LETTERS, k=chance.randint(1, 4))
        words += _number(chance)
    return words


def _spelled(chance: random.Random) -> list[str]:
    return chance.choices(LETTERS, k=chance.randint(3, 7))


def _digits(chance: random.Random) -> list[str]:
    return chance.choices(DIGITS, k=chance.randint(3, 7))


def _date(chance: random.Random) -> list[str]:
    day = chance.choice(((_low_ordinal), (_high_ordinal)))(chance)
    year = ["NINETEEN", *_number(chance)] if chance.random() < 0.7 else []
    return [chance.choice(MONTHS), *day, *year]


def _address(chance: random.Random) -> list[str]:
    number = [chance.choice(DIGITS[1:]), *_number(chance)]
    return [*number, chance.choice(STREETS), chance.choice(WAYS)]


def _low_ordinal(chance: random.Random) -> list[str]:
    tens = [TENS[0]] if chance.random() < 0.5 else []
    return [*tens, chance.choice(ORDINALS)]


def _high_ordinal(chance: random.Random) -> list[str]:
    return [chance.choice(HIGH_ORDINALS)]


def _number(chance: random.Random) -> list[str]:
    """10 to 99."""
    tens = chance.randint(1, 9)
    if tens == 1:
        return [chance.choice(TEENS)]
    unit = chance.randint(0, 9)
    return [TENS[tens - 2], *([DIGITS[unit]] if unit else [])]
