"""The parts of a model, by the names of its layers."""

from asr_qat.models.passes import CASCADE, CAUSAL, JOINT_LAYERS

ENCODER = "encoder"
NON_CAUSAL = "cascade"
OUTPUT = "output"
_OUTPUT_LAYERS = ("prediction_", "joint_", "ctc_")


def part_of(layer: str) -> str:
    """The part that a layer is in.

    `encoder` is the whole encoder, or the causal one of a live model; `cascade`: the encoder on
    top of that; each with its projection into the joint space of a transducer. `output` makes
    labels of encoded frames; both passes of a live model share it.
    """
    if layer.startswith("cascade_") or layer == JOINT_LAYERS[CASCADE]:
        return NON_CAUSAL
    if layer.startswith(_OUTPUT_LAYERS) and layer != JOINT_LAYERS[CAUSAL]:
        return OUTPUT
    return ENCODER
