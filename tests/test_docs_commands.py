"""Commands, files, configurations and Python examples in the README and in docs/ are real."""

import argparse
import ast
import importlib
import importlib.util
import json
import re
from types import ModuleType

import pytest
import yaml

from asr_qat import cli as asr_qat_cli
from asr_qat.config import load_yaml
from asr_qat.training.config import TrainConfig
from experiments.results.__main__ import build_parser as results_parser
from experiments.study.config import StudyConfig
from tests.docs_pages import PAGES, PROGRAMS, blocks, commands, exists, spans, titled
from tests.training_fixtures import REPOSITORY
from tflite_export import cli as tflite_export_cli

PARSERS = {"asr-qat": asr_qat_cli.build_parser, "tflite-export": tflite_export_cli.build_parser}
OTHER_PROGRAMS = {".", "make", "pip", "python", "pytest"}
READERS_OWN = {
    "my_speech",
    "my_speech/test.jsonl",
    "cv-corpus/en",
    "LibriSpeech",
    "recording.wav",
    "speech.wav",
}
WRITTEN = ("out", "output", "plot", "table", "hypotheses", "work", "results")
TRAINED = ("train", "quantize")  # subcommands whose configuration says what they write
FILE = re.compile(
    r"s3://[\w./-]+|[\w./-]+\.(tflite|yaml|jsonl?|wav|flac|model|png|md)|[\w.-]+/[\w./-]+"
)
REQUIRED = {"data": "work/an4", "output": "work/example", "steps": 1000}


def parsed(command) -> argparse.Namespace:
    return PARSERS[command.program]().parse_args(command.words[1:])


def pages_with(wanted) -> list[str]:
    return [page for page in PAGES if any(wanted(block) for block in blocks(page))]


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    (action,) = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return dict(action.choices)


def options(parser: argparse.ArgumentParser) -> set[str]:
    """All options of a parser and of its subcommands."""
    own = set(parser._option_string_actions)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            own |= set().union(*map(options, action.choices.values()))
    return own


@pytest.mark.parametrize("page", pages_with(lambda block: block.language == "sh"))
def test_commands_are_understood(page):
    for block in blocks(page):
        for command in commands(block):
            if command.program in PROGRAMS:
                parsed(command)
            elif command.program == "make":
                for target in command.words[1:]:
                    assert re.search(rf"^{target}:", makefile(), re.M), command.line
            elif command.program == "python" and command.words[1] == "-m":
                assert importlib.util.find_spec(command.words[2]), command.line
            elif command.program == "python":
                assert exists(command.words[1]), command.line
            else:
                assert command.program in OTHER_PROGRAMS, command.line


def makefile() -> str:
    return (REPOSITORY / "Makefile").read_text()


@pytest.mark.parametrize("page", PAGES)
def test_commands_in_sentences_exist(page):
    every = set().union(*(options(build()) for build in [*PARSERS.values(), results_parser]))
    for span in spans(page):
        program, *words = span.split()
        if program == "make" and words:
            assert re.search(rf"^{words[0]}:", makefile(), re.M), span
        elif program in PROGRAMS and words:
            known = subcommands(PARSERS[program]())
            assert words[0] in known, span
            given = {word for word in words if word.startswith("-")}
            assert given <= options(known[words[0]]), span
        elif program.startswith("--"):
            assert program in every | {"--help"}, span


@pytest.mark.parametrize("page", pages_with(lambda block: block.language == "sh"))
def test_files_of_commands_exist_or_were_made_before(page):
    made = set(titled(page))
    for block in blocks(page):
        for command in commands(block):
            if command.program not in PROGRAMS:
                continue
            args = parsed(command)
            read, written = files_of(args, page)
            for name in read:
                known = name in READERS_OWN or exists(name)
                assert known or any(f"{name}/".startswith(f"{m}/") for m in made), (
                    f"{page}: {name} is neither there nor made before: {command.line}"
                )
            made |= {*written, command.written} - {""}


def files_of(args: argparse.Namespace, page: str) -> tuple[set[str], set[str]]:
    """The files that a command reads, and those that it writes."""
    read, written = set(), set()
    for key, value in vars(args).items():
        values = value if isinstance(value, list) else [value]
        names = {
            v for v in values if isinstance(v, str) and (FILE.fullmatch(v) or v in READERS_OWN)
        }
        if key in WRITTEN:
            written |= names
        elif key != "settings":
            read |= names
    if args.command in TRAINED:
        text = titled(page).get(args.config) or (REPOSITORY / args.config).read_text()
        content = yaml.safe_load(text)
        given = dict(setting.split("=", 1) for setting in args.settings)
        mixture = (content.get("quantization") or {}).get("overrides_from")
        mixture = given.get("quantization.overrides_from", mixture)
        start = getattr(args, "model", None) or content.get("start")
        read |= {name for name in (args.data or content["data"], start, mixture) if name}
        written.add(args.output or content["output"])
    return read, written


@pytest.mark.parametrize("page", pages_with(lambda block: block.language == "yaml"))
def test_configurations_are_valid(page, tmp_path):
    path = tmp_path / "config.yaml"
    for block in blocks(page):
        if block.language != "yaml":
            continue
        content = yaml.safe_load(block.text)
        kind = StudyConfig if "groups" in content else TrainConfig
        if not block.title:  # a part of one
            content = REQUIRED | content
        (content.get("quantization") or {}).pop("overrides_from", None)  # a command writes it
        path.write_text(yaml.safe_dump(content))
        load_yaml(path, kind)


@pytest.mark.parametrize("page", pages_with(lambda block: block.language == "json"))
def test_json_is_json(page):
    for block in blocks(page):
        if block.language == "json":
            json.loads(block.text)


PYTHON = [
    *((page, block.text) for page in PAGES for block in blocks(page) if block.language == "python"),
    *((path.name, path.read_text()) for path in sorted((REPOSITORY / "examples").glob("*.py"))),
]


@pytest.mark.parametrize(("where", "text"), PYTHON, ids=[where for where, _ in PYTHON])
def test_python_examples_import_what_there_is(where, text):
    tree = ast.parse(text)
    modules: dict[str, ModuleType] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {a.asname or a.name: importlib.import_module(a.name) for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module or "")
            for alias in node.names:
                assert hasattr(module, alias.name), f"{node.module} has no {alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = modules.get(node.value.id)
            assert module is None or hasattr(module, node.attr), ast.unparse(node)
