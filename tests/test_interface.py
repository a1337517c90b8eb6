"""The names of both packages: they are there, documented, and cost nothing until they are used."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tones_fixtures import tones_file

pytest_plugins = ["tests.tones_fixtures"]
pytestmark = pytest.mark.runtime

PACKAGES = ("asr_qat", "tflite_export")
# What takes time or space to load, and what a command that prints its help has no use for.
HEAVY = {
    "ai_edge_litert", "h5py", "jiwer", "keras", "matplotlib", "numpy", "psutil", "sentencepiece",
    "soundfile", "tensorflow", "tensorflow_model_optimization", "tf_keras", "tqdm", "yaml",
}  # fmt: skip
# A recording is transcribed without these.
NOT_TRANSCRIBING = HEAVY - {"ai_edge_litert", "numpy", "sentencepiece", "soundfile"}


def sources(package: str) -> tuple[set[str], set[str]]:
    """Names that a type checker sees, and those that are there at run time."""
    tree = ast.parse(Path(importlib.import_module(package).__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.asname for n in block.body if isinstance(n, ast.ImportFrom) for alias in n.names}
    for node in block.body:
        if isinstance(node, ast.Assign):
            seen |= {name.id for name in ast.walk(node.targets[0]) if isinstance(name, ast.Name)}
    (table,) = (node for node in ast.walk(block.orelse[0]) if isinstance(node, ast.Dict))
    return seen - {None}, {key.value for key in table.keys}


def loaded_by(program: str, *words: str) -> set[str]:
    """The packages that are loaded when a program ends."""
    program += "\nimport sys; print('\\n' + ' '.join({n.partition('.')[0] for n in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("package", PACKAGES)
def test_a_type_checker_sees_the_same_names(package):
    seen, there = sources(package)
    assert seen == there
    module = importlib.import_module(package)
    assert there <= set(dir(module))


@pytest.mark.parametrize("package", PACKAGES)
def test_every_name_is_described(package):
    text = importlib.import_module(package).__doc__
    for name in sources(package)[1]:
        assert f"`{name}`" in text, name


@pytest.mark.parametrize("package", PACKAGES)
def test_every_name_is_there_and_documented(package):
    pytest.importorskip("tensorflow")
    module = importlib.import_module(package)
    for name in sources(package)[1]:
        value = getattr(module, name)
        assert isinstance(value, dict) or len(inspect.getdoc(value) or "") > 20, name


@pytest.mark.parametrize("package", PACKAGES)
def test_an_unknown_name(package):
    with pytest.raises(AttributeError, match=f"'{package}' has no attribute 'Nothing'"):
        getattr(importlib.import_module(package), "Nothing")  # noqa: B009


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_loads_nothing_else(package):
    assert not loaded_by(f"import {package}") & HEAVY


def test_importing_changes_one_variable_of_the_environment():
    program = (
        "import os; before = dict(os.environ); import asr_qat, tflite_export;"
        "print(sorted(os.environ.items() - before.items()))"
    )
    environment = {"PYTHONPATH": str(Path(__file__).parent.parent)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout == "[('TF_USE_LEGACY_KERAS', '1')]\n"


def test_what_runs_on_a_device_needs_no_locks_of_files():
    """Windows has none: a recogniser is loaded there, and its commands run."""
    program = (
        "import sys; sys.modules['fcntl'] = None; import tflite_export.runtime.recogniser;"
        "from tflite_export.cli import main; sys.argv[1:] = ['inspect', 'none.tflite']; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.startswith("tflite-export: error: none.tflite"), done.stderr


HELP = """
import sys
from {package}.cli import main
sys.argv[1:] = sys.argv[1:] or ["--help"]
try:
    main()
except SystemExit as stopped:
    assert not stopped.code
"""


@pytest.mark.parametrize("package", PACKAGES)
def test_help_loads_nothing_heavy(package):
    assert not loaded_by(HELP.format(package=package)) & HEAVY


def test_transcribing_loads_what_it_needs(tones_recording):
    words = ("transcribe", str(tones_file("ctc")), str(tones_recording))
    assert not loaded_by(HELP.format(package="tflite_export"), *words) & NOT_TRANSCRIBING


def test_the_choices_of_prepare_are_those_of_the_tokenizer():
    from asr_qat.commands import prepare
    from asr_qat.text import tokenizer

    assert prepare.MODEL_TYPES == tokenizer.MODEL_TYPES
