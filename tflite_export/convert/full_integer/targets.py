"""What a full-integer file is made for.

LiteRT (`generic`) runs several signatures of one file, and weights packed two to a byte. TFLM, and
Arm's compiler Vela for the Ethos-U, know the first graph of a file only and take no 4-bit weights:
for them the same integers are stored one to a byte, and the file has one signature. Vela compresses
them again.
"""

from collections.abc import Sequence

from asr_qat.errors import require

GENERIC = "generic"
TFLM = "tflm"
ETHOS_U = "ethos-u"
MICROCONTROLLERS = (TFLM, ETHOS_U)
TARGETS = (GENERIC, *MICROCONTROLLERS)
MICROCONTROLLER_BITS = 8  # of activations


def check_target(target: str, activation_bits: int) -> None:
    """Raise `UserError` for an unknown target, or activations that it does not compute with."""
    require(target in TARGETS, f"target {target}: expected {', '.join(TARGETS)}")
    require(
        target == GENERIC or activation_bits == MICROCONTROLLER_BITS,
        f"target {target}: computes with activations of {MICROCONTROLLER_BITS} bits: "
        "--full-integer int8",
    )


def chosen_lengths(target: str, frames: Sequence[int], signature: str | None) -> list[int]:
    """Feature frames of the signatures that a file for a target has.

    Args:
        target: one of `TARGETS`.
        frames: of the signatures that it could have.
        signature: the one of them that a microcontroller's file has; None: the shortest.

    Raises:
        UserError: no such signature, or for a file that has several.
    """
    if target == GENERIC:
        require(
            signature is None,
            "--signature: is for --target tflm and ethos-u: a generic file has all of --seconds",
        )
        return list(frames)
    names = {signature_name(length): length for length in sorted(frames)}
    if signature is None:
        return [min(frames)]
    require(signature in names, f"--signature {signature}: expected {', '.join(names)}")
    return [names[signature]]


def signature_name(frames: int) -> str:
    """What the signature of so many feature frames is called."""
    return f"encode_{frames}"
