"""NeMo's configuration of a transducer's prediction and joint networks in terms of this package.

Where a key is absent NeMo's default holds. Keys that change nothing in a trained network's output
are listed with the reason.
"""

from asr_qat.errors import require
from asr_qat.models.prediction import TransducerConfig
from asr_qat.pretrained.keys import ConfigKeys
from asr_qat.pretrained.nemo_config import expect_class

# How weights and states are drawn, in training.
PREDICTION_TRAINING = (
    "t_max",
    "forget_gate_bias",
    "weights_init_scale",
    "hidden_hidden_bias_scale",
)
# How memory is saved and pieces are drawn in training, and whether NeMo normalises the logits.
JOINT_TRAINING = (
    *("log_softmax", "preserve_memory", "fuse_loss_wer", "fused_batch_size"),
    *("experimental_fuse_loss_wer", "masking_prob"),
    "vocabulary",  # the pieces of the tokenizer again
)
SIGMA, OMEGA = 0.0, 0.0  # NeMo's, where its loss does not name them


def transducer_config(
    keys: ConfigKeys, dim: int, pieces: int, ctc_weight: float = 0.0
) -> TransducerConfig:
    """Shape of the prediction and joint networks of NeMo's RNN-T and TDT models.

    Args:
        keys: of the whole model.
        dim: channels of the encoder.
        pieces: of the tokenizer.
        ctc_weight: of a hybrid, the weight of its CTC loss; the transducer's has the rest to 1.

    Raises:
        UserError: a network that cannot be imported.
    """
    require(
        0 <= ctc_weight < 1,
        f"{keys.where}: aux_ctc: ctc_loss_weight: {ctc_weight} leaves the transducer untrained: "
        "import the other head with --head ctc",
    )
    decoder, joint = keys.section("decoder"), keys.section("joint")
    expect_class(decoder, "RNNTDecoder")
    decoder.only("vocab_size", pieces)
    decoder.only("normalization_mode", None)
    decoder.only("blank_as_pad", True)
    decoder.without_effect(["random_state_sampling"])  # in training
    prediction = decoder.section("prednet")
    units = prediction.take("pred_hidden", kind=int)
    layers = prediction.take("pred_rnn_layers", kind=int)
    prediction.only("rnn_hidden_size", -1, units)
    dropout = prediction.take("dropout", 0.0, float)
    prediction.without_effect(PREDICTION_TRAINING)

    expect_class(joint, "RNNTJoint")
    joint.only("num_classes", pieces)
    classes = joint.take("num_extra_outputs", 0, int)
    network = joint.section("jointnet")
    network.only("encoder_hidden", dim)
    network.only("pred_hidden", units)
    width = network.take("joint_hidden", kind=int)
    activation = network.only("activation", "relu", "tanh")
    network.without_effect(["dropout"])  # in training; here the joint network has none
    joint.without_effect(JOINT_TRAINING)

    for part in (prediction, decoder, network, joint):
        part.finish()
    durations, sigma, omega = _durations(keys, classes)
    return keys.make(
        TransducerConfig,
        embedding=units,
        units=units,
        joint=width,
        dropout=dropout or 0.0,
        ctc_weight=ctc_weight / (1 - ctc_weight),
        layers=layers,
        activation=activation,
        durations=durations,
        sigma=sigma,
        omega=omega,
    )


def _durations(keys: ConfigKeys, classes: int) -> tuple[tuple[int, ...], float, float]:
    """Durations, sigma and omega of a TDT; those of a plain transducer are none."""
    plain = TransducerConfig(2, 2, 2)
    if classes == 0:
        return (), plain.sigma, plain.omega
    loss = keys.section("loss")
    # Big blanks, too, are classes after the others.
    if loss.take("loss_name", None) != "tdt":
        raise keys.refusal("joint: num_extra_outputs", classes, "only durations can be imported")
    settings = loss.section("tdt_kwargs")
    durations = settings.whole_numbers("durations")
    if len(durations) != classes:
        raise settings.refusal("durations", [*durations], f"expected {classes} whole numbers")
    sigma, omega = settings.take("sigma", SIGMA, float), settings.take("omega", OMEGA, float)
    settings.make(TransducerConfig, 2, 2, 2, durations=durations, sigma=sigma, omega=omega)
    return durations, sigma, omega
