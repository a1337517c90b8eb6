"""tfmot's wrapper of a quantized layer, saved and loaded by Keras."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

from asr_qat import compat


@keras.utils.register_keras_serializable("asr_qat")
class QuantizeWrapperV2(compat.QuantizeWrapperV2):
    """tfmot's wrapper, such that `keras.models.load_model` can read it.

    tfmot's own one lists the weights of its layer once more if the layer had them before it was
    wrapped, and not if they are made with the wrapper, as when a model is loaded. The class has
    the same name, since that is the name of its group in a file of weights.

    tfmot's own one also trains the kernel of a layer that is not trainable.
    """

    @property
    def trainable_weights(self) -> list[tf.Variable]:
        """None if the layer is not trainable."""
        return super().trainable_weights if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[tf.Variable]:
        """All weights if the layer is not trainable, in the order that they have if it is."""
        frozen = [] if self.trainable else super().trainable_weights
        found: list[tf.Variable] = self._dedup_weights([*frozen, *super().non_trainable_weights])
        return found

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """As Keras calls it, with the saved variables by their number."""
        variables = self._trainable_weights + self._non_trainable_weights
        more = len(store) - len(variables)
        for number, variable in enumerate(variables):
            variable.assign(np.asarray(store[str(more + number)]))
