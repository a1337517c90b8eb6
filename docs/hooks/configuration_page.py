"""The page of all configuration keys, from the classes that read them."""

from mkdocs.structure.files import File, Files

PAGE = "reference/configuration.md"
INTRODUCTION = """# Configuration

A configuration is a YAML file. Every key is checked when the file is read: a key that is unknown,
missing or of the wrong type is named, together with the file. `--set KEY=VALUE` replaces a value
from the command line, with a dot before a nested key: `--set steps=2000
optimizer.schedule.peak=0.0005`.

`asr-qat train` and `asr-qat quantize` read the [training configuration](#training), `asr-qat study`
the [study configuration](#study). Complete files: [`configs/`](../results.md#configurations).

The same tables on a terminal: `asr-qat train --keys`. Editors that know JSON schemas check a file
while you write it, with `configs/train.schema.json` and `configs/study.schema.json`.
"""


def on_files(files: Files, config) -> Files:
    """Add the page."""
    from asr_qat.config_keys import keys_markdown
    from asr_qat.training.config import TrainConfig
    from experiments.study.config import StudyConfig

    sections = [
        INTRODUCTION,
        "## Training\n",
        keys_markdown(TrainConfig, level=3),
        "## Study\n",
        keys_markdown(StudyConfig, level=3),
    ]
    files.append(File.generated(config, PAGE, content="\n".join(sections)))
    return files
