"""A label, the frames that it was found in, and how sure the model was of it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TimedLabel:
    """A label of a hypothesis.

    Attributes:
        token: its id.
        first: encoded frame (from 0) that it begins with.
        last: encoded frame that it ends with.
        log_prob: natural logarithm of the probability that the model gave it there;
            None where it is not known.
    """

    token: int
    first: int
    last: int
    log_prob: float | None
