"""What a target says of one case."""

import enum


class Verdict(enum.Enum):
    """How the product took a changed input.

    A `UserError` that a target lets through is `REFUSED` too.
    """

    SAME = "same"  # accepted, with the result of the valid input; or what differs was said
    REFUSED = "refused"
    DIFFERENT = "different"  # accepted, another result, and not a word about it
