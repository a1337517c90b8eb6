"""The page of all commands: what their own `--help` says."""

import argparse
import os
from collections.abc import Iterator

from mkdocs.structure.files import File, Files

from asr_qat import cli as asr_qat_cli
from tflite_export import cli as tflite_export_cli

PAGE = "reference/commands.md"
WIDTH = 78  # characters of a line
INTRODUCTION = """# Commands

Two programs, one for training and one for files. Every subcommand takes `--help`; this page is
what it prints. Options cannot be shortened. A mistake in the input is one line on standard error
that names the file or key, and exit code 1; an interrupt is exit code 130.
"""


def on_files(files: Files, config) -> Files:
    """Add the page."""
    os.environ["COLUMNS"] = str(WIDTH + 2)  # argparse leaves two free
    sections = [INTRODUCTION]
    for program in (asr_qat_cli, tflite_export_cli):
        parser = program.build_parser()
        sections.append(f"## {parser.prog}\n\n{parser.description}\n")
        sections += [_section(command) for command in _commands(parser)]
    files.append(File.generated(config, PAGE, content="\n".join(sections)))
    return files


def _commands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The subcommands, and those of a subcommand."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield command
                yield from _commands(command)


def _section(command: argparse.ArgumentParser) -> str:
    return f"### {command.prog}\n\n```text\n{command.format_help().rstrip()}\n```\n"
