"""The moving average of the weights, which Keras optimizers keep with `use_ema`."""

import contextlib
from collections.abc import Iterator

from tensorflow import keras

from asr_qat.compat import weight_averages


@contextlib.contextmanager
def averaged_weights(model: keras.Model) -> Iterator[None]:
    """Within the block, `model` has the averaged weights of its optimizer."""
    optimizer = model.optimizer
    if not optimizer.use_ema or int(optimizer.iterations.numpy()) == 0:
        yield
        return
    trained = [variable.numpy() for variable in model.trainable_variables]
    averages = weight_averages(optimizer)
    for variable, average in zip(model.trainable_variables, averages, strict=True):
        variable.assign(average)
    try:
        yield
    finally:
        for variable, value in zip(model.trainable_variables, trained, strict=True):
            variable.assign(value)
