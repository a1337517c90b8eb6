"""NeMo's configuration of what follows the encoder: CTC heads and transducers."""

import dataclasses
from collections.abc import Sequence

from asr_qat.errors import require
from asr_qat.models.prediction import TransducerConfig
from asr_qat.pretrained.keys import ConfigKeys
from asr_qat.pretrained.nemo_config import expect_class
from asr_qat.pretrained.network import Head

# Of the prediction network: how its weights were drawn.
INITIAL_WEIGHTS = ("forget_gate_bias", "t_max", "weights_init_scale", "hidden_hidden_bias_scale")
# Of the joint network: how its loss is computed in training, and whether logits are normalised,
# which is left to those who read them.
JOINT_TRAINING = (
    *("log_softmax", "preserve_memory", "fuse_loss_wer", "fused_batch_size"),
    *("experimental_fuse_loss_wer", "masking_prob"),
    "vocabulary",  # the pieces of the tokenizer again
)


@dataclasses.dataclass(frozen=True)
class NemoHeads:
    """What follows the encoder and is imported.

    Attributes:
        pieces: number of labels, without the blank.
        transducer: shape of a transducer, None for a CTC model.
        ctc_head: what the names of the CTC head begin with, None for none.
        joint_output: the same of a joint network's output layer.
        unused: what the names of tensors of another head begin with.
    """

    pieces: int
    transducer: TransducerConfig | None = None
    ctc_head: str | None = None
    joint_output: str = ""
    unused: tuple[str, ...] = ()


def nemo_heads(keys: ConfigKeys, present: Sequence[Head], head: Head, dim: int) -> NemoHeads:
    """The heads to import.

    Args:
        keys: at the top of the configuration.
        present: heads of the network.
        head: one of them.
        dim: channels of the encoder.
    """
    if len(present) == 1:
        if head == "ctc":
            return NemoHeads(_ctc_pieces(keys.section("decoder"), dim), ctc_head="decoder")
        return _transducer(keys, dim)
    aux = keys.section("aux_ctc")
    pieces, weight = _ctc_pieces(aux.section("decoder"), dim), _ctc_weight(aux)
    aux.without_effect(["use_cer", "ctc_reduction", "decoding"])  # of the loss, of scoring
    aux.finish()
    if head == "ctc":
        keys.without_effect(["decoder", "joint"])  # of the other head
        return NemoHeads(pieces, ctc_head="ctc_decoder", unused=("decoder.", "joint."))
    found = _transducer(keys, dim)
    require(found.pieces == pieces, f"{aux.where}: {pieces} labels, the transducer {found.pieces}")
    assert found.transducer is not None
    transducer = dataclasses.replace(found.transducer, ctc_weight=weight)
    return dataclasses.replace(found, transducer=transducer, ctc_head="ctc_decoder")


def _ctc_pieces(keys: ConfigKeys, dim: int) -> int:
    """Number of labels of NeMo's `ConvASRDecoder`, without the blank.

    Args:
        keys: of the head.
        dim: channels of the encoder.
    """
    expect_class(keys, "ConvASRDecoder")
    keys.only("feat_in", None, dim)
    keys.only("add_blank", True)
    pieces = keys.take("vocabulary", None)
    count = keys.take("num_classes", -1, int)
    keys.without_effect(["init_mode"])  # how the weights were drawn
    keys.finish()
    if count <= 0:
        require(isinstance(pieces, list), f"{keys.where}: neither num_classes nor vocabulary")
        return len(pieces)
    return count


def _transducer(keys: ConfigKeys, dim: int) -> NemoHeads:
    """A transducer without a CTC head."""
    decoder, joint = keys.section("decoder"), keys.section("joint")
    expect_class(decoder, "RNNTDecoder")
    decoder.only("normalization_mode", None)
    decoder.only("blank_as_pad", True)
    decoder.without_effect(["random_state_sampling"])  # in training
    pieces = decoder.take("vocab_size", kind=int)
    network = decoder.section("prednet")
    units = network.take("pred_hidden", kind=int)
    layers = network.take("pred_rnn_layers", kind=int)
    dropout = network.take("dropout", 0.0, float)
    network.only("rnn_hidden_size", -1, units)
    network.without_effect(INITIAL_WEIGHTS)
    expect_class(joint, "RNNTJoint")
    joint.only("num_classes", pieces)
    extra = joint.take("num_extra_outputs", 0, int)
    shape = joint.section("jointnet")
    shape.only("encoder_hidden", dim)
    shape.only("pred_hidden", units)
    activation = shape.only("activation", "relu", "tanh")
    width = shape.take("joint_hidden", kind=int)
    # A layer of dropout stands between, if there is any.
    output = f"joint.joint_net.{2 if shape.take('dropout', 0.0, float) else 1}"
    joint.without_effect(JOINT_TRAINING)
    for part in (network, decoder, shape, joint):
        part.finish()
    durations, sigma, omega = _durations(keys, extra)
    config = TransducerConfig(
        embedding=units,
        units=units,
        joint=width,
        dropout=dropout,
        layers=layers,
        activation=activation,
        durations=durations,
        sigma=sigma,
        omega=omega,
    )
    return NemoHeads(pieces, config, joint_output=output)


def _durations(keys: ConfigKeys, count: int) -> tuple[tuple[int, ...], float, float]:
    """The durations of a TDT and what weighs its loss, which the loss has."""
    default = TransducerConfig.sigma, TransducerConfig.omega
    if count == 0:
        return (), *default
    loss = keys.section("loss")
    loss.only("loss_name", "tdt")
    tdt = loss.section("tdt_kwargs")
    durations = tdt.take("durations", kind=list)
    if len(durations) != count:
        raise tdt.refusal("durations", durations, f"joint: num_extra_outputs makes them {count}")
    sigma, omega = (tdt.take(name, 0.0, float) for name in ("sigma", "omega"))
    return tuple(durations), sigma, omega


def _ctc_weight(keys: ConfigKeys) -> float:
    """The weight of the CTC loss beside a transducer's with weight 1."""
    share = keys.take("ctc_loss_weight", 0.5, float)
    if not 0 < share < 1:
        raise keys.refusal("ctc_loss_weight", share, "expected a share between 0 and 1")
    return share / (1 - share)
