"""Which typed code reads a file of `results/`, and what is made from it for people."""

import fnmatch
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from asr_qat import files
from asr_qat.config import from_dict
from asr_qat.errors import UserError
from experiments.after_training.rows import AfterTrainingResults
from experiments.after_training.table import after_training_table
from experiments.any_keras.results import AnyKerasResults
from experiments.any_keras.table import any_keras_table
from experiments.benchmarks.rows import InputResults, LossResults, StepResults
from experiments.browser.rows import BrowserResults
from experiments.browser.table import browser_table
from experiments.cost.cost_page import cost_page
from experiments.cost.cost_rows import CostResults
from experiments.demo import demo_page
from experiments.demo.demo_rows import DemoResults, EqualityResults
from experiments.devices.rows import DevicesResults
from experiments.devices.table import devices_table
from experiments.drills.rows import DrillResults
from experiments.drills.table import drills_table
from experiments.fuzz.rows import FuzzResults
from experiments.fuzz.table import fuzz_table
from experiments.house.row import HouseResults
from experiments.house.table import house_table
from experiments.live.latency_rows import LatencyResults
from experiments.live.live_results import AccuracyResults, LiveScaleResults, ServerResults
from experiments.live.tables import table_of
from experiments.long_form.rows import LongFormResults
from experiments.long_form.table import long_form_table
from experiments.micro.rows import MicroResults
from experiments.micro.table import micro_table
from experiments.noise.rows import NoiseResults
from experiments.noise.table import noise_table
from experiments.peers.rows import PeersResults
from experiments.peers.table import peers_table
from experiments.prepare_scale.rows import PrepareScaleResults
from experiments.prepare_scale.table import prepare_scale_table
from experiments.pretrained.results import PretrainedResults
from experiments.pretrained.table import pretrained_table
from experiments.pretrained_scale.rows import PretrainedScaleResults
from experiments.pretrained_scale.table import pretrained_scale_table
from experiments.reports.wer_size_plot import plot_wer_against_size
from experiments.robustness.rows import RobustnessResults
from experiments.robustness.table import robustness_table
from experiments.runtimes.rows import RuntimesResults
from experiments.runtimes.table import runtimes_table
from experiments.scale.scale_rows import ScaleResults
from experiments.scale.scale_table import scale_table
from experiments.sensitivity.check_assignment import Check
from experiments.sensitivity.layer_sensitivity import Sensitivity, read_source
from experiments.sensitivity.sensitivity_report import parts_table, write_sensitivity_plot
from experiments.server_capacity.rows import CapacityResults
from experiments.server_capacity.table import capacity_table
from experiments.study.study_page import write_report
from experiments.threads.rows import ThreadsResults
from experiments.threads.table import threads_table
from experiments.two_bit_speed.rows import TwoBitSpeedResults
from experiments.two_bit_speed.table import two_bit_speed_table
from tflite_export.score.live_rows import StreamedEvaluation

Results = TypeVar("Results")
Rendered = dict[Path, bytes]  # files for people, made from one file of results
Render = Callable[[Path], Rendered]


def render(path: Path) -> Rendered:
    """Read a file of results and make what is made from it, without writing.

    Raises:
        UserError: damaged, a field that its kind does not have or lacks, or of no known kind.
    """
    return kind_of(path)(path)


def kind_of(path: Path) -> Render:
    """What reads and renders a file of this name.

    Raises:
        UserError: nothing does.
    """
    for pattern, own in KINDS.items():
        if fnmatch.fnmatch(path.name, pattern):
            return own
    raise UserError(f"{path}: results of no known kind: add it to {__name__}.KINDS")


def texts(rendered: Rendered) -> Rendered:
    """Those that are the same whoever makes them: a picture depends on fonts."""
    return {path: content for path, content in rendered.items() if path.suffix != ".png"}


def read(kind: type[Results], path: Path) -> Results:
    """The results in a file."""
    return from_dict(kind, files.read_json(path), str(path))


def _alone(kind: type) -> Render:
    """Of results that nothing is made from."""

    def own(path: Path) -> Rendered:
        read(kind, path)
        return {}

    return own


def _table(kind: type[Results], table: Callable[[Results], str]) -> Render:
    """Of results with a Markdown file beside them."""
    return lambda path: {path.with_suffix(".md"): table(read(kind, path)).encode()}


def _made(suffix: str, write: Callable[[Path], object]) -> bytes:
    """The content of a file that a function writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"made{suffix}"
        write(path)
        return path.read_bytes()


def _demo(path: Path) -> Rendered:
    found = read(DemoResults, path)
    _, _, of_transducer = path.stem.partition("transducer")
    name = path.stem if of_transducer else path.stem.removeprefix("demo")
    equality_path = path.with_stem(f"equality_{name}" if of_transducer else f"equality{name}")
    equality = read(EqualityResults, equality_path)
    return {
        path.with_suffix(".md"): f"{demo_page.markdown_table(found)}\n".encode(),
        path.with_suffix(".html"): _made(
            ".html", lambda page: demo_page.html_report(found, equality, page)
        ),
        path.with_suffix(".png"): _made(
            ".png", lambda plot: plot_wer_against_size(found.rows, plot, found.corpus.notice)
        ),
    }


def _sensitivity(path: Path) -> Rendered:
    found = Sensitivity.load(path)
    return {
        path.with_suffix(".md"): parts_table(found, read_source(path)).encode(),
        path.with_suffix(".png"): _made(".png", lambda plot: write_sensitivity_plot(plot, found)),
    }


def _check_assignment(path: Path) -> Rendered:
    for row in files.read_json(path)["rows"]:
        from_dict(Check, row, str(path))
    return {}


def _study(path: Path) -> Rendered:
    """The report of a copy, as it is written beside the study."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        shutil.copy(path, copy)
        shutil.copytree(path.with_suffix(""), copy.with_suffix(""))
        made = write_report(copy)
        return {path.parent / each.relative_to(folder): each.read_bytes() for each in made}


# By pattern of the name; the first that fits counts.
KINDS: dict[str, Render] = {
    "demo*.json": _demo,
    "transducer_an4.json": _demo,
    "after_training.json": _table(AfterTrainingResults, after_training_table),
    "any_keras.json": _table(AnyKerasResults, any_keras_table),
    "browser.json": _table(BrowserResults, browser_table),
    "devices.json": _table(DevicesResults, devices_table),
    "drills.json": _table(DrillResults, drills_table),
    "equality*.json": _alone(EqualityResults),
    "fuzz.json": _table(FuzzResults, fuzz_table),
    "house.json": _table(HouseResults, house_table),
    "long_form.json": _table(LongFormResults, long_form_table),
    "micro.json": _table(MicroResults, micro_table),
    "noise.json": _table(NoiseResults, noise_table),
    "peers.json": _table(PeersResults, peers_table),
    "prepare_scale.json": _table(PrepareScaleResults, prepare_scale_table),
    "pretrained.json": _table(PretrainedResults, pretrained_table),
    "pretrained_scale.json": _table(PretrainedScaleResults, pretrained_scale_table),
    "robustness.json": _table(RobustnessResults, robustness_table),
    "runtimes.json": _table(RuntimesResults, runtimes_table),
    "scale.json": _table(ScaleResults, scale_table),
    "server_capacity.json": _table(CapacityResults, capacity_table),
    "threads.json": _table(ThreadsResults, threads_table),
    "transducer_scale.json": _table(ScaleResults, scale_table),
    "transducer_two_bits.json": _table(ScaleResults, scale_table),
    "two_bit_speed.json": _table(TwoBitSpeedResults, two_bit_speed_table),
    "training_cost_librispeech.json": _table(CostResults, cost_page),
    "training_cost*.json": _alone(StepResults),
    "transducer_loss.json": _alone(LossResults),
    "input_throughput.json": _alone(InputResults),
    "streaming_an4.json": _table(AccuracyResults, table_of),
    "streaming_latency.json": _table(LatencyResults, table_of),
    "streaming_scale.json": _table(LiveScaleResults, table_of),
    "streaming_server.json": _table(ServerResults, table_of),
    "streaming_equality.json": _alone(StreamedEvaluation),
    "streaming_sensitivity.json": _sensitivity,
    "check_assignment*.json": _check_assignment,
    "study_*.json": _study,
    "bits_*.json": _study,
}
