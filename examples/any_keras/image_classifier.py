"""An image classifier: handwritten digits of 8 x 8 pixels, which scikit-learn ships.

python -m examples.any_keras.image_classifier

The data are those of Alpaydin and Kaynak (1998): 1,797 digits. Half of them are for the test.
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tensorflow import keras

from examples.any_keras.score import show
from examples.any_keras.workflow import Example, Split

CLASSES = 10


def data() -> tuple[Split, Split]:
    """Images `[examples, 8, 8, 1]` from 0 to 1, half of each digit for the test."""
    digits = load_digits()
    images = (digits.images[..., None] / 16).astype(np.float32)
    parts = train_test_split(
        images, digits.target, test_size=0.5, stratify=digits.target, random_state=0
    )
    x_train, x_test, y_train, y_test = parts
    return Split({"image": x_train}, y_train), Split({"image": x_test}, y_test)


def build() -> keras.Model:
    """Two convolutions, and a dense layer with nine tenths of the weights."""
    layers = keras.layers
    x = image = keras.Input((8, 8, 1), name="image")
    for number, channels in enumerate((16, 32)):
        x = layers.Conv2D(channels, 3, padding="same", use_bias=False, name=f"conv{number}")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"norm{number}")(x)
        x = layers.ReLU(name=f"relu{number}")(x)
    x = layers.MaxPooling2D(name="pool")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(256, activation="relu", name="hidden")(x)
    x = layers.Dropout(0.3, name="dropout")(x)
    return keras.Model(image, layers.Dense(CLASSES, name="digit")(x), name="image_classifier")


EXAMPLE = Example(
    "image classifier", data, build, epochs=30, more_epochs=20, overrides={"digit": "w8a8"}
)

if __name__ == "__main__":
    show(EXAMPLE)
