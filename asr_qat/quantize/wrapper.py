"""tfmot's wrapper of a quantized layer, saved and loaded by Keras."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from tensorflow import keras

from asr_qat import compat


@keras.utils.register_keras_serializable("asr_qat")
class QuantizeWrapperV2(compat.QuantizeWrapperV2):
    """tfmot's wrapper, such that `keras.models.load_model` can read it.

    tfmot's own one lists the weights of its layer once more if the layer had them before it was
    wrapped, and not if they are made with the wrapper, as when a model is loaded. The class has
    the same name, since that is the name of its group in a file of weights.
    """

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """As Keras calls it, with the saved variables by their number."""
        variables = self._trainable_weights + self._non_trainable_weights
        more = len(store) - len(variables)
        for number, variable in enumerate(variables):
            variable.assign(np.asarray(store[str(more + number)]))
