"""How fast a study's files are: all of them in one run, in turn, with nothing beside them.

A cell is scored while another one trains, so the speed in its own file says little.
"""

from pathlib import Path

import numpy as np

from asr_qat import files
from asr_qat.progress import progress
from asr_qat.provenance import provenance
from tflite_export import evaluate
from tflite_export.recogniser import TFLiteRecogniser
from tflite_export.study.cells import expand
from tflite_export.study.config import StudyConfig
from tflite_export.study.saved import SPEED

ROUNDS = 3  # each file once in each; the median of them counts
UTTERANCES = 12  # the first of the first split
THREADS = 1


def measure_speed(config: StudyConfig, quiet: bool = False) -> None:
    """Write the real-time factor of each variant to OUTPUT/speed.json.

    It is that of the file of one seed: processing time (front end, model and search) over the
    duration of the audio. Nothing is measured where all files that are there have theirs already.

    Args:
        config: of the study.
        quiet: no progress.
    """
    paths: dict[str, Path] = {}
    for cell in expand(config):
        if cell.file.is_file():
            paths.setdefault(cell.variant, cell.file)
    output = Path(config.output) / SPEED
    before = files.read_json(output)["rtf"] if output.is_file() else {}
    if paths.keys() <= before.keys():
        return
    items = evaluate.recordings(config.data, config.splits[0])[:UTTERANCES]
    found: dict[str, list[float]] = {name: [] for name in paths}
    turns = [name for _ in range(ROUNDS) for name in paths]
    for name in progress(turns, "speed of the files", len(turns), quiet=quiet):
        result = evaluate.run(TFLiteRecogniser(paths[name], THREADS), items, quiet=True)
        found[name].append(float(result.seconds.sum() / result.audio_seconds.sum()))
    content = {
        "rtf": {name: float(np.median(values)) for name, values in found.items()},
        "rounds": found,
        "utterances": len(items),
        "threads": THREADS,
        **provenance(),
    }
    files.write_json(output, content)
