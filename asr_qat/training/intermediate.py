"""A second CTC loss, of characters, on an inner block of the encoder.

Intermediate CTC (Lee and Watanabe, 2021) keeps a CTC model from overfitting; with smaller
units than the output's (Sanabria and Metze, 2018) the lower blocks also learn faster. The
head exists in training only.
"""

import dataclasses

import tensorflow as tf
from tensorflow import keras

from asr_qat.errors import UserError, require
from asr_qat.layers.dense import Dense
from asr_qat.losses.ctc import PADDING
from asr_qat.text.tokenizer import Tokenizer


@dataclasses.dataclass(frozen=True)
class IntermediateConfig:
    """Where the second loss sits and what it counts.

    Attributes:
        block: number of blocks below it.
        weight: its share of the loss; the output has the rest.
    """

    block: int
    weight: float = 0.3

    def __post_init__(self) -> None:
        """Raise `UserError` for a value out of range."""
        require(self.block >= 1, f"block: {self.block} is less than 1")
        require(0 < self.weight < 1, f"weight: {self.weight} is not between 0 and 1")


class CharacterTargets:
    """The characters of word pieces, a space before each word included.

    Attributes:
        characters: the vocabulary, sorted; the blank is the class after the last one.
    """

    def __init__(self, tokenizer: Tokenizer):
        pieces = tokenizer.pieces()
        self.characters = sorted(set("".join(pieces)))
        number = {character: i for i, character in enumerate(self.characters)}
        self._of_piece = tf.ragged.constant([[number[c] for c in piece] for piece in pieces])

    def __call__(self, targets):
        """Targets of word pieces to those of characters, both as `pack_targets` makes them."""
        lengths, labels = targets[:, :1], targets[:, 1:]
        pieces = tf.RaggedTensor.from_tensor(labels, padding=PADDING)
        characters = tf.gather(self._of_piece, pieces).merge_dims(1, 2)
        return tf.concat([lengths, characters.to_tensor(PADDING)], axis=1)


def add_intermediate(model: keras.Model, block: int, classes: int) -> keras.Model:
    """`model` with a second output: logits `[batch, time, classes]` of an inner block.

    Raises:
        UserError: `model` has no such block, or it is the last one.
    """
    names = [layer.name.removeprefix("quant_") for layer in model.layers]
    name = f"block_{block - 1:02d}_norm"
    if name not in names or f"block_{block:02d}_norm" not in names:
        raise UserError(f"intermediate.block: the model has no block {block} below its last one")
    # The last of its outputs: a layer that is not quantized also belongs to the float model.
    inner = model.layers[names.index(name)].get_output_at(-1)
    logits = Dense(classes, name="intermediate_output")(inner)
    return keras.Model(model.inputs, [model.output, logits], name=model.name)
