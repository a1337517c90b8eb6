"""Files of models: the checksum, damage of every kind, and what a file changes under a process."""

import os
import subprocess
import sys

import numpy as np
import pytest

import tflite_export
from asr_qat.errors import UserError
from tests.sealed_fixtures import described, resealed
from tests.tones_fixtures import KINDS, TEXT, tones_file
from tflite_export.convert.serialize import serialize
from tflite_export.runtime.checksum import DIGEST, HEAD_BYTES, MARK
from tflite_export.runtime.model_file import MOST_TABLES, ModelFile
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score.inspect import inspect

pytest_plugins = ["tests.sealed_fixtures"]


@pytest.fixture(scope="module")
def good(sealed_files) -> bytes:
    return sealed_files["ctc"].read_bytes()


@pytest.fixture
def load(tmp_path):
    """Loads content from a file of its own."""

    def from_content(content: bytes, **options):
        (tmp_path / "model.tflite").write_bytes(content)
        return tflite_export.load(tmp_path / "model.tflite", **options)

    return from_content


@pytest.fixture
def refused(load):
    """The message that content is refused with, by all that reads files."""

    def message(content: bytes) -> str:
        with pytest.raises(UserError) as caught:
            load(content)
        said = str(caught.value)
        path = said.partition(": ")[0]
        for read in (tflite_export.read_metadata, inspect):
            with pytest.raises(UserError):
                read(path)
        assert path.endswith("model.tflite") and "\n" not in said
        return said.removeprefix(f"{path}: ")

    return message


@pytest.mark.parametrize("kind", KINDS)
def test_a_checksum_changes_nothing(sealed_files, tones, kind):
    with_one, without = ModelFile.read(sealed_files[kind]), ModelFile.read(tones_file(kind))
    assert with_one.has_checksum and not without.has_checksum
    for path in (sealed_files[kind], tones_file(kind)):  # one of an earlier version loads too
        assert tflite_export.load(path).transcribe(tones) == TEXT


def test_the_checksum_is_the_sha256_of_all_other_bytes(good, tmp_path):
    assert good[HEAD_BYTES:][: len(MARK)] == MARK
    (tmp_path / "others").write_bytes(good[: DIGEST.start] + good[DIGEST.stop :])
    said = subprocess.run(["sha256sum", tmp_path / "others"], capture_output=True, text=True)
    assert said.stdout.split()[0] == good[DIGEST].hex()


def test_what_is_read_is_written_alike(good):
    from ai_edge_litert import schema_py_generated as schema

    assert serialize(schema.ModelT.InitFromPackedBuf(good, 0)) == good


def test_every_damaged_byte_is_found(good, tmp_path):
    """One in each of 300 places, all of the head among them."""
    path = tmp_path / "model.tflite"
    rng = np.random.default_rng(0)
    for at in [*range(DIGEST.stop), *rng.integers(DIGEST.stop, len(good), 250)]:
        changed = bytearray(good)
        changed[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
        with pytest.raises(UserError, match=r"model\.tflite: (damaged|not a \.tflite)"):
            tflite_export.read_metadata(path)


def test_damage_is_one_line(good, refused):
    changed = bytearray(good)
    changed[-100:] = bytes(100)
    said = refused(bytes(changed))
    expected = f"damaged or truncated ({len(good):,} bytes; its checksum is wrong)"
    assert said == f"{expected}: copy or export it again"
    assert "wrong" in refused(good[:-1]) and "wrong" in refused(good + b"\0")
    cleared = good[:HEAD_BYTES] + bytes(DIGEST.stop - HEAD_BYTES) + good[DIGEST.stop :]
    assert "its checksum is missing" in refused(cleared)
    for content in (b"", b"TFL3", good[:8], bytes(1000)):
        refused(content)


def test_the_checksum_may_be_skipped(good, load, tones, tmp_path):
    changed = good[: DIGEST.start] + bytes(32) + good[DIGEST.stop :]
    assert load(changed, verify=False).transcribe(tones) == TEXT
    path = tmp_path / "model.tflite"
    assert tflite_export.read_metadata(path, verify=False).precision == "w4a8"
    assert inspect(path, verify=False).bytes == len(good)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["overwritten", "cut", "deleted"])
def test_a_file_that_changes_under_a_process(sealed_files, tones, tmp_path, kind, how):
    """Neither wrong words nor a bus error: the bytes that were checked are in memory."""
    path = tmp_path / "model.tflite"
    path.write_bytes(sealed_files[kind].read_bytes())
    model = tflite_export.load(path)
    if how == "overwritten":
        path.write_bytes(bytes(path.stat().st_size))
    elif how == "cut":
        os.truncate(path, 100)
    else:
        path.unlink()
    assert model.transcribe(tones) == TEXT


def test_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, said in {"none": "no such file", ".": "a folder", "pipe": "not a file"}.items():
        with pytest.raises(UserError, match=said):
            tflite_export.load(tmp_path / name)


def test_lengths_that_no_file_can_have_are_not_followed(good, refused):
    """The lengths of all vectors of the root in turn, with a checksum that is right."""
    root = int.from_bytes(good[:4], "little")
    table = root - int.from_bytes(good[root : root + 4], "little", signed=True)
    fields = [int.from_bytes(good[n : n + 2], "little") for n in range(table + 4, table + 20, 2)]
    for field in filter(None, fields[1:]):  # after the version
        at = root + field
        at += int.from_bytes(good[at : at + 4], "little")
        for length in (MOST_TABLES + 1, 2**31, 2**32 - 1):
            changed = bytearray(good)
            changed[at : at + 4] = length.to_bytes(4, "little")
            if at != _description_at(good):
                refused(resealed(bytes(changed)))


def _description_at(content: bytes) -> int:
    """Where the text that describes a flatbuffer is, whose length nobody reads."""
    found = content.find(b"MLIR Converted.")
    return found - 4 if found >= 0 else -1


def test_what_litert_says_names_the_file(good, tmp_path):
    """An operator that does not exist: harmless, and refused when tensors are allocated."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(good, 0)
    code = model.operatorCodes[0]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = b"NoSuchOperator"
    path = tmp_path / "custom.tflite"
    path.write_bytes(serialize(model))
    with pytest.raises(UserError, match=r"custom\.tflite: LiteRT cannot run it: .*NoSuchOperator"):
        TFLiteRecogniser(path).warm_up()
    assert "NoSuchOperator" in inspect(path).custom_operators


@pytest.mark.parametrize("command", ["transcribe", "inspect", "evaluate", "listen", "serve"])
def test_commands(good, command, tmp_path, tones_recording):
    """One line that names the file; `--skip-checksum` loads it."""
    path = tmp_path / "model.tflite"
    path.write_bytes(good[: DIGEST.start] + bytes(32) + good[DIGEST.stop :])
    manifest = tmp_path / "test.jsonl"
    manifest.write_text(f'{{"audio_filepath": "{tones_recording}", "text": "{TEXT}"}}\n')
    words = {"transcribe": [tones_recording], "evaluate": ["--data", manifest, "--quiet"]}
    words["listen"] = ["--file", tones_recording, "--fast"]
    program = "from tflite_export.cli import main; main()"
    call = [sys.executable, "-c", program, command, path, *words.get(command, [])]
    done = subprocess.run(call, capture_output=True, text=True)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1 and f"{path}: damaged or truncated" in line
    if command in ("transcribe", "evaluate", "inspect"):
        done = subprocess.run([*call, "--skip-checksum"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"version":2', '"version":3', "version 3, and this program reads up to 2"),
        ('"version":2', '"version":0', "version: 0, expected one of 1, 2"),
        ('"method":"ptq"', '"method":"pqt"', "method: 'pqt', expected one of float, ptq"),
        ('"mean":[-7.52953', '"mean":[NaN', "mean[0]: nan, expected a number from -1e+06"),
        ('"std":[1.0947,1.2519', '"std":[-1,-1', "std[0]: -1, expected a number"),
        ('"std":[1.0947,1.2519', '"std":[1', "std: 79 values, expected 80"),
        ('"std":[1.0947,', '"std":[1e999,', "std[0]: inf, expected"),
        ('"mel_bins":80', '"mel_bins":""', "front_end.mel_bins: '', expected a whole number"),
        ('"mel_bins":80', '"mel_bins":8', "mean: 80 values, expected 8"),
        ('"sample_rate":16000', '"sample_rate":1e99', "front_end.sample_rate: 1e+99, expected"),
        ('"frame_ms":25.0', '"frame_ms":true', "front_end.frame_ms: True, expected a number"),
        ('"low_hz":20.0', '"low_hz":7601', "front_end.low_hz: 7601 is not from 0"),
        ('"front_end":{', '"front_nd":{', "front_end: missing; front_nd: unknown"),
        ('"layers":{"s', '"lay":{"s', "layers: missing; lay: unknown"),
        ('{"version":2', '["version":2', "not valid JSON"),
    ],
)
def test_metadata_that_are_wrong(good, refused, old, new, said):
    found = refused(described(good, old, new))
    assert found.startswith("metadata: ") and found.endswith(": convert it again")
    assert said in found


def test_all_violations_are_one_message(good, refused):
    content = described(good, '"method":"ptq"', '"method":"no"')
    content = described(content, '"hop_ms":10.0', '"hop_ms":-1.0')
    content = described(content, '"mean":[-7.52953', '"mean":[null')
    said = refused(content)
    assert all(name in said for name in ("method: 'no'", "front_end.hop_ms: -1.0", "mean[0]: None"))


@pytest.mark.parametrize(
    ("kind", "old", "new", "said"),
    [
        ("live", '"frame_ms":40.0', '"frame_ms":41.0', "live.frame_ms: 41.0, expected 40"),
        ("live", '"chunks":[1,3]', '"chunks":[3,1]', "live.chunks: [3, 1]"),
        ("live", '"chunks":[1,3]', '"chunks":[1,2]', "no signature causal_2"),
        ("live", 'keys":[1,9,32]', 'keys":[1,9,33]', "attention_keys of shape [1, 9, 32], not"),
        ("live", 'keys":[1,9,32]', 'keys":[9e9]', "expected a whole number"),
        ("live", '"states":{"causal"', '"states":{"causa"', "live.states: of causa, cascade"),
        ("live", '"second_delay":3', '"second_delay":0', "less than first_delay"),
        ("live", '"second_delay":3', '"second_delay":3,"more":1', "live.more: unknown"),
        ("live", '"live":{"frame_ms":40.0,', '"source":{"name":"a",', "source.sha256: missing"),
        ("transducer", '"method"', '"durations":[0,1],"method"', "logits of shape [1, 1, 1, 14]"),
        ("ctc", '"method"', '"full_integer":8,"method"', "activations of 32 bits, not 8"),
        ("ctc", '"method"', '"subsampling_factor":8,"method"', "not [1, 25, 14]"),
        ("ctc", '"method"', '"subsampling_factor":5,"method"', "expected one of 2, 4, 8"),
        ("ctc", '"method"', '"source":{"name":7},"method"', "source.name: 7, expected a text"),
    ],
)
def test_metadata_of_another_graph(sealed_files, load, kind, old, new, said):
    with pytest.raises(UserError) as caught:
        load(described(sealed_files[kind].read_bytes(), old, new))
    assert said in str(caught.value)
