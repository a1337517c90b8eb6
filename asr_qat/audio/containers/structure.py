"""What is known of an encoded recording before it is decoded."""

import dataclasses

from asr_qat.notices import notice

NAMED = 5  # recordings that contradict themselves, that a run names


@dataclasses.dataclass(frozen=True, kw_only=True)
class Structure:
    """What a look at the bytes of a recording finds.

    Attributes:
        samples: of each channel, that the bytes hold; None if only decoding tells.
        known: whether the container is known.
        guessed: whether decoders guess its length.
        cut: whether bytes are missing at its end.
        damage: why it must not be decoded; empty if nothing speaks against it.
        odd: what contradicts itself, while a decoder can go by the rest; empty if nothing does.
        md5: of all samples, as integers; empty if that is not known.
    """

    samples: int | None = None
    known: bool = True
    guessed: bool = False
    cut: bool = False
    damage: str = ""
    odd: str = ""
    md5: bytes = b""


def say_odd(name: str, what: str) -> None:
    """Warn that a recording contradicts itself."""
    notice("odd recording", f"{name}: contradicts itself: {what}", NAMED)
