"""The weights of NeMo's prediction and joint networks in the layers of this package.

NeMo embeds the blank to zeros, as the layers here do with every label outside of the vocabulary.
PyTorch's LSTM has the gates in the same order and two biases that are added; here the forget gate
has a constant on top.
"""

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


def load_transducer(
    model: keras.Model,
    config: TransducerConfig,
    dim: int,
    order: np.ndarray,
    tensors: TensorTaker,
    norm: Norm,
) -> None:
    """Give the prediction and joint networks their weights.

    Args:
        model: with the layers.
        config: their shape.
        dim: channels of the encoder.
        order: the checkpoint's class for each of ours: pieces, the blank, durations.
        tensors: by NeMo's names.
        norm: the encoder's last one, whose layer has neither gain nor offset.

    Raises:
        UserError: a tensor is missing, has another shape, or is damaged.
    """
    pieces = len(order) - 1 - len(config.durations)
    embedding = "decoder.prediction.embed.weight"
    table = tensors.take(embedding, pieces + 1, config.embedding)
    require(
        not table[order[pieces]].any(),
        f"{tensors.where}: tensor {embedding}: its row of the blank is not zero",
    )
    model.get_layer("prediction_embedding").set_weights([table[order[:pieces]]])
    for index in range(config.layers):
        _load_lstm(model, config, index, tensors)

    def load(layer, name, inputs, outputs, **more):
        kernel = tensors.take(f"{name}.weight", outputs, inputs)
        set_dense(model, layer, kernel, tensors.take(f"{name}.bias", outputs), **more)

    load(JOINT_PREDICTION, "joint.pred", config.units, config.joint)
    load(JOINT_ENCODER[FIRST], "joint.enc", dim, config.joint, before=norm)
    # Of activation, dropout if there is one, and product.
    last = "joint.joint_net.2" if tensors.has("joint.joint_net.2.weight") else "joint.joint_net.1"
    kernel = tensors.take(f"{last}.weight", len(order), config.joint)
    bias = tensors.take(f"{last}.bias", len(order))
    set_dense(model, JOINT_OUTPUT, kernel[order], bias[order])


def _load_lstm(
    model: keras.Model, config: TransducerConfig, index: int, tensors: TensorTaker
) -> None:
    units, inputs = config.units, config.units if index else config.embedding

    def take(name, *shape):
        return tensors.take(f"decoder.prediction.dec_rnn.lstm.{name}_l{index}", *shape)

    bias = take("bias_ih", 4 * units) + take("bias_hh", 4 * units)
    bias[units : 2 * units] -= FORGET_BIAS  # input, forget, cell, output
    name = lstm_name(index)
    set_dense(model, f"{name}_input", take("weight_ih", 4 * units, inputs), bias)
    model.get_layer(name).set_weights([take("weight_hh", 4 * units, units).T])
