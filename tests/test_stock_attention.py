"""MultiHeadAttention in products, against the stock layer."""

import pytest
from tensorflow import keras

from tests.stock_fixtures import labels, rewritten, values

L = keras.layers


def names(model) -> list[str]:
    return [layer.name for layer in model.layers if layer.weights]


PRODUCTS = ["m.query", "m.key", "m.value", "m.attention_output"]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("steps", [None, 5])
def test_self_attention(steps, causal):
    x = keras.Input((steps, 6))
    y = L.MultiHeadAttention(2, 4, value_dim=3, name="m")(x, x, use_causal_mask=causal)
    found = rewritten(keras.Model(x, y), values((3, 5, 6)))
    assert sorted(names(found)) == sorted(PRODUCTS)


def test_cross_attention_with_key_scores_and_mask():
    x, y, z = keras.Input((4, 6)), keras.Input((5, 7)), keras.Input((5, 8))
    mask = keras.Input((4, 5), dtype="bool")
    layer = L.MultiHeadAttention(2, 4, use_bias=False, output_shape=(3, 2), name="m")
    model = keras.Model(
        [x, y, z, mask],
        layer(x, y, key=z, attention_mask=mask, return_attention_scores=True),
    )
    given = [values((2, 4, 6)), values((2, 5, 7), 1), values((2, 5, 8), 2), labels((2, 4, 5), 2)]
    rewritten(model, [*given[:3], given[3].astype(bool)])


def test_mask_of_each_head():
    x, mask = keras.Input((4, 6)), keras.Input((2, 4, 4))
    model = keras.Model([x, mask], L.MultiHeadAttention(2, 3, name="m")(x, x, x, mask, True))
    rewritten(model, [values((3, 4, 6)), labels((3, 2, 4, 4), 2).astype("float32")])


def test_keras_masks():
    """Of the query and of the value, handed on to a pooling."""
    x, y = keras.Input((4, 6)), keras.Input((5, 6))
    h = L.MultiHeadAttention(2, 3, name="m")(L.Masking()(x), L.Masking()(y), use_causal_mask=True)
    model = keras.Model([x, y], L.GlobalAveragePooling1D()(h))
    query, value = values((3, 4, 6)), values((3, 5, 6), 1)
    query[0, 2:] = value[0, 3:] = value[2, 1] = 0.0
    rewritten(model, [query, value])


def test_shared_and_with_dropout():
    x = keras.Input((None, 6))
    layer = L.MultiHeadAttention(2, 3, dropout=0.5, name="m")
    rewritten(keras.Model(x, layer(layer(x, x), x)), values((2, 4, 6)))
    trained = rewritten(keras.Model(x, layer(x, x)), values((2, 4, 6)))
    one, other = (trained(values((2, 4, 6)), training=True).numpy() for _ in range(2))
    assert (one != other).any()


def test_attention_over_two_axes_stays():
    x = keras.Input((3, 4, 6))
    layer = L.MultiHeadAttention(2, 3, attention_axes=(1, 2), name="m")
    model = keras.Model(x, L.Dense(2)(layer(x, x)))
    rewritten(model, values((2, 3, 4, 6)), left=("m",))
