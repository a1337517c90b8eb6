"""The names of layers, and what they say. No other module reads or makes them.

A layer of a Conformer block is called `block_03_attention_query`: its stack, the number of the
block, and its place in the block. A live model has a second stack, `cascade_00_...`, on top of
the first. Outside of blocks the first word is the network: `subsampling_`, `prediction_`,
`joint_`, `ctc_`; LSTMs on top of `prediction_lstm` are `prediction_lstm_2` and so on. Precisions,
inspection and reports all use these names, and they are in the `.tflite`.
"""

import dataclasses
import re
from typing import Literal

Pass = Literal["first", "second"]
FIRST: Pass = "first"  # of a live model: text of the causal encoder
SECOND: Pass = "second"  # text of the cascade on top of it
PASSES: tuple[Pass, ...] = (FIRST, SECOND)

# Each pass has a projection of its encoder into the joint space, and in training a CTC head.
# Models of whole utterances have those of the first pass.
JOINT_ENCODER = {FIRST: "joint_encoder", SECOND: "joint_cascade"}
CTC_HEAD = {FIRST: "ctc_output", SECOND: "ctc_cascade"}
JOINT_OUTPUT = "joint_output"
JOINT_PREDICTION = "joint_prediction"
ATTENTION_POSITION = "attention_position"  # a block's projection of the relative positions

Part = Literal["encoder", "cascade", "output"]
Network = Literal["encoder", "prediction", "joint", "ctc"]
_BLOCK = re.compile(r"(block|cascade)_(\d+)_(.+)")
_BLOCK_OR_WORD = re.compile(r"(block|cascade)_\d+|[^_]+")


def block_name(index: int) -> str:
    """What the names of the layers of an encoder's block begin with."""
    return f"block_{index:02d}"


def cascade_name(index: int) -> str:
    """What the names of the layers of a block of the cascade begin with."""
    return f"cascade_{index:02d}"


def lstm_name(index: int) -> str:
    """What the names of the layers of an LSTM of the prediction network begin with.

    Args:
        index: from 0, of the LSTM that the embedding goes into.
    """
    return "prediction_lstm" if index == 0 else f"prediction_lstm_{index + 1}"


def subsampling_name(place: str, stage: int, first: int) -> str:
    """A layer of one of the subsampling convolutions, `subsampling_pointwise`.

    Args:
        place: what the layer does there, such as `pointwise`.
        stage: which of the convolutions.
        first: the first one that can have such a layer. Its name bears no number, those after
            it do: `subsampling_pointwise_2`.
    """
    name = f"subsampling_{place}"
    return name if stage == first else f"{name}_{stage}"


@dataclasses.dataclass(frozen=True)
class BlockLayer:
    """A layer in a Conformer block.

    Attributes:
        stack: `block`, or `cascade` for the second encoder of a live model.
        index: of the block in its stack.
        place: the rest of the name, such as `attention_query`.
    """

    stack: str
    index: int
    place: str


def block_layer(name: str) -> BlockLayer | None:
    """Where a layer is among the Conformer blocks; None outside of them."""
    found = _BLOCK.fullmatch(name)
    return BlockLayer(found[1], int(found[2]), found[3]) if found else None


def group_of(name: str) -> str:
    """The block that a layer is in, or the first word of its name."""
    found = _BLOCK_OR_WORD.match(name)
    return found[0] if found else name


def network_of(name: str) -> Network:
    """The network that a layer belongs to; projections into the joint space count by their input.

    `joint` is the joint network's output layer alone.
    """
    if name.startswith("prediction_") or name == JOINT_PREDICTION:
        return "prediction"
    if name == JOINT_OUTPUT:
        return "joint"
    return "ctc" if name in CTC_HEAD.values() else "encoder"


def part_of(name: str) -> Part:
    """The part of the model that a layer is in.

    `encoder`: the encoder, or the causal one of a live model. `cascade`: the encoder on top of
    it. Each includes its projection into the joint space. `output` turns encoded frames into
    labels; both passes share it.
    """
    if network_of(name) != "encoder":
        return "output"
    layer = block_layer(name)
    in_cascade = layer is not None and layer.stack == "cascade"
    return "cascade" if in_cascade or name == JOINT_ENCODER[SECOND] else "encoder"


def whole_utterance_layer(name: str, causal_blocks: int) -> str:
    """The layer of a model of whole utterances that does the work of a live model's layer.

    Args:
        name: of the live model's layer.
        causal_blocks: blocks of its causal encoder; the cascade continues their count.
    """
    for names in (JOINT_ENCODER, CTC_HEAD):
        if name == names[SECOND]:
            return names[FIRST]
    layer = block_layer(name)
    if layer is None or layer.stack == "block":
        return name
    return f"{block_name(causal_blocks + layer.index)}_{layer.place}"
