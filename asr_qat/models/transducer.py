"""A Conformer encoder with a prediction network and a joint network: a transducer."""

from tensorflow import keras

from asr_qat.layers.joint import Joint
from asr_qat.layers.label_context import LabelsBefore, ZeroState
from asr_qat.models.conformer import encode, encoder_inputs
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.passes import CASCADE, CAUSAL, CTC_HEADS, JOINT_LAYERS
from asr_qat.models.prediction import TransducerConfig, predict, prediction_layers, states
from asr_qat.quantize.dense import Dense

CTC_HEAD = CTC_HEADS[CAUSAL]  # a layer of the training alone


def build_transducer(
    encoder: EncoderConfig, config: TransducerConfig, vocab_size: int, mel_bins: int = 80
) -> keras.Model:
    """The Functional model that is trained: audio and transcript in, transitions out.

    Args:
        encoder: the encoder.
        config: the prediction and joint networks.
        vocab_size: number of tokens; the blank is the class after them.
        mel_bins: features per frame.

    Returns:
        A model from `[features [batch, time, mel_bins], lengths int32 [batch], labels int32
        [batch, labels]]` to the log-probabilities of blank and next label `[batch,
        ceil(ceil(time / 2) / 2), 1 + labels, 2]`; with a CTC head, a list of these and the
        head's logits `[batch, ceil(ceil(time / 2) / 2), vocab_size + 1]`.
    """
    features, lengths = encoder_inputs(mel_bins)
    labels = keras.Input((None,), dtype="int32", name="labels")
    encoded = encode(features, lengths, encoder)
    frames = Dense(config.joint, name="joint_encoder")(encoded)
    predicted = predict_all(labels, config, vocab_size)
    transitions = Joint(vocab_size + 1, config.frames_at_once, name="joint_output")(
        [frames, predicted, labels]
    )
    outputs = [transitions]
    if config.ctc_weight:
        outputs.append(Dense(vocab_size + 1, name=CTC_HEAD)(encoded))
    return keras.Model([features, lengths, labels], outputs, name="conformer_transducer")


def predict_all(labels, config: TransducerConfig, vocab_size: int):
    """A new prediction network over whole transcripts.

    Args:
        labels: int32 `[batch, labels]`.
        config: its shape.
        vocab_size: number of labels; the blank behind them stands before the first one.

    Returns:
        `[batch, 1 + labels, joint]`.
    """
    before = LabelsBefore(vocab_size, name="prediction_labels")(labels)
    layers = prediction_layers(config, vocab_size)
    start = [ZeroState(units, name=f"{name}_start")(labels) for name, units in states(layers)]
    predicted, _ = predict(before, start, layers)
    return predicted


def is_transducer(model: keras.Model) -> bool:
    """Whether a model of this package, quantized or not, is a transducer."""
    return any(layer.name == "joint_output" for layer in model.layers)


def is_live(model: keras.Model) -> bool:
    """Whether a model of this package, quantized or not, is a transducer with two passes."""
    return any(layer.name == JOINT_LAYERS[CASCADE] for layer in model.layers)
