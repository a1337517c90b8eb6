"""The kind of a model follows from its configuration, and from nothing else."""

import pytest

from asr_qat.errors import UserError
from asr_qat.models.ctc import CTC
from asr_qat.models.layer_names import (
    FIRST,
    PASSES,
    BlockLayer,
    block_layer,
    group_of,
    network_of,
)
from asr_qat.models.live_transducer import LiveTransducer
from asr_qat.models.model_config import ModelConfig
from asr_qat.models.presets import PRESETS, STREAMING, TRANSDUCERS
from asr_qat.models.transducer import Transducer

CONFIGS = {
    CTC: ModelConfig(PRESETS["tiny"]),
    Transducer: ModelConfig(PRESETS["tiny"], transducer=TRANSDUCERS["tiny"]),
    LiveTransducer: ModelConfig(
        PRESETS["live_tiny"],
        transducer=TRANSDUCERS["live_tiny"],
        streaming=STREAMING["live_tiny"],
    ),
}


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_kind_follows_from_the_configuration(kind):
    assert type(CONFIGS[kind].kind) is kind


def test_passes_and_labels():
    assert [config.kind.passes for config in CONFIGS.values()] == [(), (), PASSES]
    assert [config.kind.reads_labels for config in CONFIGS.values()] == [False, True, True]
    assert [config.kind.streams for config in CONFIGS.values()] == [False, False, True]


def test_heads_of_the_training_alone():
    heads = {"ctc_output", "ctc_cascade"}
    found = [config.kind.training_only for config in CONFIGS.values()]
    assert found == [set(), heads, heads]


@pytest.mark.parametrize("kind", [CTC, Transducer])
def test_models_of_whole_utterances_have_no_passes(kind):
    with pytest.raises(UserError, match="the first pass: a .* has no passes"):
        CONFIGS[kind].kind.decoder(None, FIRST)


@pytest.mark.parametrize(
    ("name", "layer", "group", "network"),
    [
        ("block_03_attention_query", BlockLayer("block", 3, "attention_query"), "block_03", None),
        ("cascade_00_norm", BlockLayer("cascade", 0, "norm"), "cascade_00", None),
        ("subsampling_conv", None, "subsampling", None),
        ("joint_encoder", None, "joint", None),
        ("joint_prediction", None, "joint", "prediction"),
        ("prediction_lstm", None, "prediction", "prediction"),
        ("joint_output", None, "joint", "joint"),
        ("ctc_cascade", None, "ctc", "ctc"),
    ],
)
def test_what_a_name_says(name, layer, group, network):
    assert block_layer(name) == layer
    assert group_of(name) == group
    assert network_of(name) == (network or "encoder")
