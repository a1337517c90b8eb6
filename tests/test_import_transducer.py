"""Prediction and joint networks of NeMo in this package's layers: its logits, its texts."""

import copy

import numpy as np
import pytest

from asr_qat.decoding.transducer_greedy import greedy_transducer
from asr_qat.errors import UserError
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.keras_decoder import TransducerDecoder
from asr_qat.models.prediction import TransducerConfig
from asr_qat.models.presets import PRESETS, TRANSDUCERS
from asr_qat.models.transducer import build_transducer
from asr_qat.models.transducer_functions import TransducerFunctions
from asr_qat.pretrained.encoder_weights import Norm
from asr_qat.pretrained.keys import ConfigKeys
from asr_qat.pretrained.nemo_transducer import transducer_config
from asr_qat.pretrained.tensors import TensorTaker
from asr_qat.pretrained.transducer_weights import load_transducer
from tests.nemo_reference import DURATIONS, LABELS, LENGTHS, NAMES, nemo

DIM, UNITS, JOINT, PIECES = 4, 6, 8, 5
ENCODER = EncoderConfig(1, dim=DIM, heads=1, feed_forward=8, kernel=3, subsampling=2)


class Tensors:
    """The `Checkpoint` of arrays in memory."""

    where = "memory"

    def __init__(self, values):
        self._values = values

    def shapes(self):
        return {name: value.shape for name, value in self._values.items()}

    def read(self, name):
        return self._values[name]


def weights_of(case):
    return {name: v for name, v in case.items() if name.startswith(("decoder.", "joint."))}


def loaded(weights, case, order=None):
    """A model with these networks, after an encoder's norm of gain 2 and offset 1."""
    layers = sum("weight_hh" in name for name in weights)
    classes = weights["joint.joint_net.2.bias"].shape[0]
    durations = DURATIONS if classes > PIECES + 1 else ()
    config = TransducerConfig(
        UNITS, UNITS, JOINT, layers=layers, activation=str(case["activation"]), durations=durations
    )
    model = build_transducer(ENCODER, config, PIECES)
    tensors = TensorTaker(Tensors(weights))
    norm = Norm(np.full(DIM, 2.0), np.ones(DIM))
    order = np.arange(classes) if order is None else order
    load_transducer(model, config, DIM, order, tensors, norm)
    tensors.finish()
    return model


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("/0")])
def test_logits_and_texts_are_those_of_nemo(name):
    case = nemo(name)
    model = loaded(weights_of(case), case)
    functions = TransducerFunctions(model)
    normalised = (case["encoded"] - 1) / 2  # what the encoder gives, before gain and offset
    encoded = model.get_layer("joint_encoder")(normalised)
    state = [np.zeros((1, units), np.float32) for _, units in functions.states]
    for count, label in enumerate([functions.blank, *LABELS]):
        predicted, *state = functions.predict([np.array([[label]], np.int32), *state])
        for frame in range(LENGTHS[0]):
            logits = functions.join([encoded[:1, frame : frame + 1], predicted])
            expected = case["logits"][0, frame, count]
            np.testing.assert_allclose(logits[0, 0, 0], expected, atol=1e-4)
    found = greedy_transducer(TransducerDecoder(model), encoded.numpy(), LENGTHS, 10)
    assert found == [[t for t in row if t >= 0] for row in case["greedy_10"].tolist()]


def test_classes_in_another_order():
    """A checkpoint with the blank first: rows of the embedding and of the output move with it."""
    case = nemo("tdt_2/0")
    weights = weights_of(case)
    order = np.array([1, 2, 3, 4, 5, 0, *range(6, 6 + len(DURATIONS))])
    theirs = np.argsort(order)
    moved = dict(weights)
    moved["decoder.prediction.embed.weight"] = weights["decoder.prediction.embed.weight"][
        theirs[: PIECES + 1]
    ]
    for part in ("weight", "bias"):
        name = f"joint.joint_net.2.{part}"
        moved[name] = weights[name][theirs]
    ours, expected = loaded(moved, case, order), loaded(weights, case)
    for layer in ("prediction_embedding", "joint_output"):
        for one, other in zip(
            ours.get_layer(layer).get_weights(),
            expected.get_layer(layer).get_weights(),
            strict=True,
        ):
            np.testing.assert_array_equal(one, other)


def test_an_embedded_blank_is_refused():
    case = nemo("rnnt_1/0")
    weights = weights_of(case)
    weights["decoder.prediction.embed.weight"] = np.ones((PIECES + 1, UNITS), np.float32)
    with pytest.raises(UserError, match="its row of the blank is not zero"):
        loaded(weights, case)


def configuration(durations=(0, 1, 2)):
    """As NeMo saves it."""
    return {
        "decoder": {
            "_target_": "nemo.collections.asr.modules.RNNTDecoder",
            "vocab_size": 40,
            "normalization_mode": None,
            "random_state_sampling": False,
            "blank_as_pad": True,
            "prednet": {"pred_hidden": 24, "pred_rnn_layers": 2, "t_max": None, "dropout": 0.2},
        },
        "joint": {
            "_target_": "nemo.collections.asr.modules.RNNTJoint",
            "num_classes": 40,
            "num_extra_outputs": len(durations),
            "vocabulary": ["a"],
            "log_softmax": None,
            "preserve_memory": False,
            "fuse_loss_wer": True,
            "fused_batch_size": 4,
            "jointnet": {
                "encoder_hidden": 32, "pred_hidden": 24, "joint_hidden": 48,
                "activation": "relu", "dropout": 0.2,
            },
        },
        "loss": {
            "loss_name": "tdt",
            "tdt_kwargs": {"durations": list(durations), "sigma": 0.02, "omega": 0.1},
        },
    }  # fmt: skip


def test_configuration():
    found = transducer_config(ConfigKeys(configuration(), "file"), 32, 40, 0.3)
    assert found == TransducerConfig(
        embedding=24,
        units=24,
        joint=48,
        dropout=0.2,
        ctc_weight=0.3 / 0.7,
        layers=2,
        activation="relu",
        durations=(0, 1, 2),
        sigma=0.02,
        omega=0.1,
    )
    plain = configuration(())
    del plain["loss"]
    assert transducer_config(ConfigKeys(plain, "file"), 32, 40).durations == ()


@pytest.mark.parametrize(("preset", "layers"), [("fastconformer_l", 1), ("fastconformer_xl", 2)])
def test_presets_are_what_nemo_configures(preset, layers):
    """Its fast-conformer_transducer_bpe.yaml, with the values of its table of sizes."""
    values, dim = configuration(()), PRESETS[preset].dim
    values["decoder"]["prednet"] |= {"pred_hidden": 640, "pred_rnn_layers": layers}
    network = values["joint"]["jointnet"]
    network |= {"encoder_hidden": dim, "pred_hidden": 640, "joint_hidden": 640}
    del values["loss"]
    assert transducer_config(ConfigKeys(values, "file"), dim, 40) == TRANSDUCERS[preset]


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("decoder._target_", "a.StatelessTransducerDecoder", "only RNNTDecoder can be imported"),
        ("decoder.blank_as_pad", False, "blank_as_pad: False: only True can be imported"),
        ("decoder.normalization_mode", "layer", "normalization_mode: 'layer': only None"),
        ("decoder.prednet.rnn_hidden_size", 320, "rnn_hidden_size: 320: only -1, 24"),
        ("decoder.prednet.peephole", 1, "prednet: peephole: 1: not known"),
        ("joint.jointnet.activation", "sigmoid", "activation: 'sigmoid': only 'relu', 'tanh'"),
        ("joint.num_classes", 41, "num_classes: 41: only 40"),
        ("joint.adapters", {}, "joint: adapters: {}: not known"),
        ("joint.num_extra_outputs", 4, "durations: [0, 1, 2]: expected 4 whole numbers"),
        ("loss.loss_name", "multiblank_rnnt", "num_extra_outputs: 3: only durations can be"),
        ("loss.tdt_kwargs.durations", [0, 2, 4], "tdt_kwargs: durations: [0, 2, 4] are not"),
    ],
)
def test_refused_configurations(path, value, complaint):
    values = copy.deepcopy(configuration())
    *above, last = path.split(".")
    part = values
    for key in above:
        part = part[key]
    part[last] = value
    with pytest.raises(UserError) as caught:
        transducer_config(ConfigKeys(values, "file"), 32, 40)
    assert str(caught.value).startswith("file: ")
    assert complaint in str(caught.value)


def test_a_hybrid_of_ctc_alone_is_refused():
    with pytest.raises(UserError, match="ctc_loss_weight: 1.0 leaves the transducer untrained"):
        transducer_config(ConfigKeys(configuration(), "file"), 32, 40, 1.0)
