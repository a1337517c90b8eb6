"""Full-integer files for TFLM and Ethos-U: what they hold, and that they run."""

import dataclasses

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from asr_qat.errors import UserError
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.model_config import ModelConfig
from asr_qat.models.model_directory import Recogniser
from asr_qat.provenance import Hardware
from asr_qat.training.calibrated import Calibration
from asr_qat.training.quantized import post_training
from experiments.micro.rows import KernelRow, MicroResults, NpuRow, targets
from experiments.micro.table import micro_table
from tests.export_fixtures import FRAMES, SECONDS, noise, randomize_vectors
from tests.test_export_convert import integers, kernels
from tflite_export.convert.bake import bake, layers_in_file
from tflite_export.convert.full_integer.convert import convert_full_integer
from tflite_export.convert.full_integer.targets import chosen_lengths
from tflite_export.runtime.recogniser import TFLiteRecogniser

pytest_plugins = ["tests.export_fixtures"]


def test_one_signature_the_shortest_first():
    assert chosen_lengths("generic", [98, 398], None) == [98, 398]
    assert chosen_lengths("tflm", [398, 98], None) == [98]
    assert chosen_lengths("ethos-u", [98, 398], "encode_398") == [398]
    with pytest.raises(UserError, match="encode_1: expected encode_98, encode_398"):
        chosen_lengths("tflm", [98, 398], "encode_1")
    with pytest.raises(UserError, match="a generic file has all of --seconds"):
        chosen_lengths("generic", [98], "encode_98")


def test_what_a_microcontroller_does_not_compute(float_recogniser):
    with pytest.raises(UserError, match="target tflm: computes with activations of 8 bits"):
        convert_full_integer(float_recogniser, 16, [], target="tflm")
    with pytest.raises(UserError, match="target esp32: expected generic, tflm, ethos-u"):
        convert_full_integer(float_recogniser, 8, [], target="esp32")


@pytest.fixture(scope="module")
def speech(manifest):
    return Calibration(manifest, 6).recordings()


@pytest.fixture(scope="module")
def w4a8(float_recogniser):
    return post_training(float_recogniser, "w4a8")


@pytest.fixture(scope="module")
def for_tflm(w4a8, speech, tmp_path_factory):
    path = tmp_path_factory.mktemp("tflm") / "tflm.tflite"
    path.write_bytes(convert_full_integer(w4a8, 8, speech, SECONDS, True, "tflm"))
    return path


@pytest.mark.slow
def test_four_bits_are_stored_in_bytes(for_tflm, w4a8):
    model = flatbuffer_utils.read_model(str(for_tflm))
    (found,) = kernels(model)
    for name, layer in bake(layers_in_file(w4a8)).items():
        assert found[name].type == schema.TensorType.INT8
        np.testing.assert_array_equal(integers(model, found[name]), layer.integers)
        assert np.abs(layer.integers).max() <= 8


@pytest.mark.slow
def test_the_integers_are_those_of_the_packed_file(for_tflm, w4a8, speech, tmp_path):
    packed = tmp_path / "packed.tflite"
    packed.write_bytes(convert_full_integer(w4a8, 8, speech, SECONDS[:1], True))
    one, other = TFLiteRecogniser(for_tflm), TFLiteRecogniser(packed)
    assert one.lengths == other.lengths == [FRAMES[0]]
    for frames in (FRAMES[0], 40):
        np.testing.assert_array_equal(one.encode(noise(frames)), other.encode(noise(frames)))


def of_kind(float_recogniser: Recogniser, **changes) -> Recogniser:
    """A recogniser with random weights and another encoder."""
    encoder = EncoderConfig(1, dim=16, heads=2, feed_forward=32, kernel=5, subsampling=8, **changes)
    config = ModelConfig(encoder)
    tokenizer, mean, std = (getattr(float_recogniser, n) for n in ("tokenizer", "mean", "std"))
    recogniser = Recogniser.create(config, tokenizer, mean, std)
    randomize_vectors(recogniser)
    return post_training(recogniser, "w4a8")


KINDS = (
    {},
    {"attention_context": 8},
    {"subsampling_factor": 8, "subsampling_kind": "striding", "conv_norm": "none"},
)


@pytest.fixture(params=KINDS, ids=["all frames", "near frames", "striding"], scope="module")
def of_each_kind(request, float_recogniser, speech, tmp_path_factory):
    recogniser = of_kind(float_recogniser, **request.param)
    path = tmp_path_factory.mktemp("kind") / "kind.tflite"
    path.write_bytes(convert_full_integer(recogniser, 8, speech, SECONDS[:1], True, "ethos-u"))
    return path


@pytest.mark.long
def test_tflm_runs_it(of_each_kind):
    """In its own interpreter; where it gives other integers than LiteRT, by few steps."""
    pytest.importorskip("tflite_micro", reason="pip install tflite-micro")
    from experiments.micro.tflm import TFLMSignatures, arena_bytes

    content = of_each_kind.read_bytes()
    litert, tflm = TFLiteRecogniser(of_each_kind), TFLiteRecogniser(of_each_kind)
    tflm.signatures = TFLMSignatures(content, litert.signatures)
    for frames in (FRAMES[0], 40):
        expected, got = (each.encode(noise(frames)) for each in (litert, tflm))
        assert np.abs(got - expected).mean() < 0.05 * expected.std()
    assert 10_000 < arena_bytes(content) < 400_000


@pytest.mark.long
@pytest.mark.parametrize("accelerator", ["ethos-u55-128", "ethos-u65-256", "ethos-u85-256"])
def test_vela_puts_every_operator_on_the_npu(of_each_kind, accelerator, tmp_path):
    pytest.importorskip("ethosu", reason="pip install ethos-u-vela")
    from experiments.micro.vela import compiled

    found = compiled(of_each_kind, accelerator, tmp_path)
    assert found.cpu_operators == () and found.npu_operators > 50
    assert found.encoded_kib < found.weights_kib and found.sram_kib > 10


def test_results():
    npu = NpuRow(
        accelerator="ethos-u55-128",
        system="Ethos_U55_High_End_Embedded",
        npu_operators=99,
        cpu_operators=("StridedSlice",),
        weights_kib=200.0,
        encoded_kib=100.0,
        flash_kib=150.0,
        sram_kib=80.0,
        estimated_ms=12.5,
    )
    kernel = KernelRow(operator="SOFTMAX", count=6, differ=2, most_steps=1)
    found = MicroResults(
        **{"command": "micro", "commit": "unknown", "versions": {}},
        hardware=Hardware(cpu="a CPU", vnni=True, cores=2, memory_gb=8.0),
        model="an4",
        precision="w4a8",
        seconds=4.0,
        file_bytes=2_000_000,
        data="an4 (test)",
        utterances=20,
        tflm="1",
        vela="2",
        arena_bytes=1_500_000,
        same_texts=19,
        same_logits=0.5,
        most_steps=3,
        litert_wer=0.1,
        tflm_wer=0.2,
        kernels=(kernel,),
        npus=(npu,),
    )
    rows = targets(found)
    promised = {row.name: row.met for row in rows if row.met is not None}
    assert promised == {
        "TFLM: arena, MB": False,
        "TFLM: utterances that fit": True,
        "TFLM: texts as LiteRT's": False,
        "ethos-u55-128: share of operators on the NPU": False,
    }
    page = micro_table(dataclasses.replace(found, targets=rows))
    assert "**1 of 4 targets met.**" in page and "| SOFTMAX | 6 | 2 | 1 |" in page
    assert "estimates: nothing ran on such a chip" in page
