"""How fast a study's files are: all of them in one run, in turn, with nothing else running.

A cell is scored while another one trains, so the speed in its own file says little.
"""

import dataclasses
from collections.abc import Collection
from pathlib import Path

from asr_qat import files
from asr_qat.corpora.recordings import recordings
from asr_qat.progress import progress
from asr_qat.provenance import Provenance
from experiments.study.config import StudyConfig
from experiments.study.planned_cells import expand
from experiments.study.saved_study import SPEED, Speeds, TimedRun, read_speeds
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score import evaluate

ROUNDS = 3  # each file once in each; the least of them counts
UTTERANCES = 12  # the first of the first split
THREADS = 1


def measure_speed(config: StudyConfig, quiet: bool = False) -> None:
    """Write the real-time factor of each variant to OUTPUT/speed.json.

    It is that of the file of one seed: processing time (front end, model and search) over the
    duration of the audio. All files that are there are timed if one of them was not yet, by its
    checksum; what was measured of files that are elsewhere, for example on another machine, stays.

    Args:
        config: of the study.
        quiet: no progress.
    """
    paths: dict[str, Path] = {}
    for cell in expand(config):
        if cell.file.is_file():
            paths.setdefault(cell.variant, cell.file)
    checksums = {name: files.sha256(path) for name, path in paths.items()}
    output = Path(config.output) / SPEED
    before = read_speeds(output).runs if output.is_file() else ()
    known = {name: checksum for run in before for name, checksum in run.sha256.items()}
    if checksums.items() <= known.items():
        return
    items = recordings(config.data, config.splits[0])[:UTTERANCES]
    rounds: dict[str, list[float]] = {name: [] for name in paths}
    turns = [name for _ in range(ROUNDS) for name in paths]
    for name in progress(turns, "speed of the files", len(turns), quiet=quiet):
        result = evaluate.run(TFLiteRecogniser(paths[name], THREADS), items, quiet=True)
        rounds[name].append(float(result.seconds.sum() / result.audio_seconds.sum()))
    now = TimedRun(
        rounds={name: tuple(values) for name, values in rounds.items()},
        sha256=checksums,
        utterances=len(items),
        threads=THREADS,
        **vars(Provenance.of_this_run()),
    )
    earlier = [_without(run, rounds) for run in before]
    runs = [run for run in earlier if run.rounds] + [now]
    files.write_json(output, dataclasses.asdict(Speeds.of(tuple(runs))))


def _without(run: TimedRun, variants: Collection[str]) -> TimedRun:
    """A run without what was measured of some variants."""
    return dataclasses.replace(
        run,
        rounds={name: value for name, value in run.rounds.items() if name not in variants},
        sha256={name: value for name, value in run.sha256.items() if name not in variants},
    )
