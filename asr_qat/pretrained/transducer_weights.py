"""The weights of NeMo's prediction and joint networks in the layers of this package."""

import numpy as np
from tensorflow import keras

from asr_qat.errors import require
from asr_qat.models.layer_names import (
    FIRST,
    JOINT_ENCODER,
    JOINT_OUTPUT,
    JOINT_PREDICTION,
    lstm_name,
)
from asr_qat.models.prediction import TransducerConfig
from asr_qat.pretrained.encoder_weights import Norm, set_dense
from asr_qat.pretrained.tensors import TensorTaker
from asr_qat.quantize.lstm import FORGET_BIAS

EMBEDDING, LSTM = "decoder.prediction.embed", "decoder.prediction.dec_rnn.lstm"


def load_transducer(
    model: keras.Model,
    config: TransducerConfig,
    tensors: TensorTaker,
    norm: Norm,
    classes: np.ndarray,
    output: str,
) -> None:
    """Give the layers behind the encoder their weights.

    Args:
        model: with the layers.
        config: shape of the networks.
        tensors: by NeMo's names.
        norm: the encoder's last one.
        classes: int `[pieces + 1]`, the checkpoint's class of each piece, then its blank.
        output: what the names of the joint network's output layer begin with.

    Raises:
        UserError: a tensor is missing, has another shape, or is damaged; or the blank has an
            embedding, where ours is zero.
    """
    _load_prediction(model, config, tensors, classes)
    for layer, name, inputs, before in (
        (JOINT_ENCODER[FIRST], "joint.enc", len(norm.gain), norm),
        (JOINT_PREDICTION, "joint.pred", config.units, None),
    ):
        kernel = tensors.take(f"{name}.weight", config.joint, inputs)
        set_dense(model, layer, kernel, tensors.take(f"{name}.bias", config.joint), before)
    count = len(classes) + len(config.durations)
    order = np.concatenate([classes, np.arange(len(classes), count)])  # durations come last
    kernel = tensors.take(f"{output}.weight", count, config.joint)
    bias = tensors.take(f"{output}.bias", count)
    set_dense(model, JOINT_OUTPUT, kernel[order], bias[order])


def _load_prediction(
    model: keras.Model, config: TransducerConfig, tensors: TensorTaker, classes: np.ndarray
) -> None:
    name = f"{EMBEDDING}.weight"
    table = tensors.take(name, len(classes), config.embedding)[classes]
    require(not table[-1].any(), f"{tensors.where}: tensor {name}: the blank's row is not zero")
    model.get_layer("prediction_embedding").set_weights([table[:-1]])
    gates, inputs = 4 * config.units, config.embedding
    for index in range(config.layers):
        ours = lstm_name(index)
        kernel = tensors.take(f"{LSTM}.weight_ih_l{index}", gates, inputs)
        # The same gates in the same order: input, forget, cell, output.
        bias = tensors.take(f"{LSTM}.bias_ih_l{index}", gates)
        bias += tensors.take(f"{LSTM}.bias_hh_l{index}", gates)
        bias[config.units : 2 * config.units] -= FORGET_BIAS  # which our LSTM adds
        set_dense(model, f"{ours}_input", kernel, bias)
        recurrent = tensors.take(f"{LSTM}.weight_hh_l{index}", gates, config.units)
        model.get_layer(ours).set_weights([recurrent.T])
        inputs = config.units
