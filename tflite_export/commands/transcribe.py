"""`tflite-export transcribe`."""

import argparse
import dataclasses
import functools
import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING

from asr_qat import files
from asr_qat.cores import usable_cores
from asr_qat.errors import UserError, require
from tflite_export.commands.arguments import (
    add_fusion,
    add_skip_checksum,
    add_weight_cache,
    add_widen,
    beam,
    beam_search,
    threads,
    whole_number,
)

if TYPE_CHECKING:
    from tflite_export.commands.inputs import Recording
    from tflite_export.runtime.beam_search import BeamSearch
    from tflite_export.runtime.widen import Widen

_LOGGER = logging.getLogger(__name__)
MOST_JOBS = usable_cores()

TEXT, SUBTITLES = "txt", ("srt", "vtt")
FORMATS = (TEXT, "json", *SUBTITLES, "ctm")


def add_parser(subparsers) -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser("transcribe", help="print the text of recordings")
    parser.add_argument("file", help=".tflite file; of a live model: the second pass's text")
    parser.add_argument(
        "audio",
        nargs="+",
        help="recordings, folders of recordings, manifests (.jsonl, .json), or - for one recording "
        "from standard input",
    )
    parser.add_argument(
        "--jobs",
        type=whole_number("--jobs", 1, MOST_JOBS),
        default=1,
        metavar="N",
        help="transcribe so many recordings at once, each in a process of its own (default: 1)",
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default=TEXT,
        help="txt, json (a line for each recording), srt or vtt subtitles, ctm (default: "
        "%(default)s)",
    )
    parser.add_argument(
        "--word-timestamps",
        action="store_true",
        help="start, end and confidence of each word: txt has a line for each, json a list, srt a "
        "subtitle for each, vtt times within subtitles; ctm always has them",
    )
    parser.add_argument(
        "--late-ms",
        type=float,
        default=0.0,
        metavar="MS",
        help="how late this model finds words: times are earlier by as much (default: 0)",
    )
    parser.add_argument(
        "--output", metavar="DIR", help="write a file for each recording there, print nothing"
    )
    parser.add_argument(
        "--beam",
        type=beam,
        default=0,
        help="hypotheses that the search keeps (default: greedy search; 8 with --lm or --hotwords)",
    )
    add_fusion(parser)
    parser.add_argument(
        "--nbest",
        action="store_true",
        help="with --beam: all its hypotheses, with log-probability and that for each label",
    )
    parser.add_argument("--threads", type=threads, default=1, help="CPU threads")
    add_weight_cache(parser)
    add_widen(parser)
    add_skip_checksum(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print one line for each recording, with its name if there are several, or another format."""
    from asr_qat.parallel.run_jobs import in_order, run_jobs
    from asr_qat.parallel.workers import Workers
    from tflite_export.commands.inputs import named_recordings

    recordings = named_recordings(args.audio)
    _check(args, recordings)
    model = _model(args)
    search = beam_search(args)
    if model.recogniser.live:
        message = "a live model searches greedily: omit --beam, --lm and --hotwords"
        require(search is None, f"{args.file}: {message}")
    workers = Workers(number=min(args.jobs, len(recordings)))
    named = not args.output and (len(recordings) > 1 or recordings[0].entry is not None)
    jobs = [_Job(args, search, recording, named) for recording in recordings]
    failed = 0
    for job, found in in_order(run_jobs(_transcribe, jobs, workers), jobs):
        if isinstance(found, _Unread):
            require(len(jobs) > 1, found.reason)
            _LOGGER.warning("%s", found.reason)
            failed += 1
        elif args.output:
            files.write_text(_written(args, job.recording), found)
        else:
            print(found, end="", flush=True)
    require(not failed, f"{failed} of {len(jobs)} recordings cannot be read, see above")


@dataclasses.dataclass(frozen=True)
class _Job:
    """One recording; `named`: its lines begin with its name."""

    args: argparse.Namespace
    search: "BeamSearch | None"
    recording: "Recording"
    named: bool

    def __str__(self) -> str:
        return str(self.recording)


@dataclasses.dataclass(frozen=True)
class _Unread:
    reason: str


def _transcribe(job: _Job) -> str | _Unread:
    """What is printed or written for a recording, by whatever process."""
    from tflite_export.silence import silence

    args = job.args
    model = _model(args)
    try:
        audio = job.recording.read(model.sample_rate)
    except UserError as error:
        return _Unread(str(error))
    with silence():  # LiteRT announces its delegate in the first call
        text = _nbest(model.recogniser, audio, job) if args.nbest else _formatted(model, audio, job)
    if args.format != TEXT or not job.named:
        return text
    return "".join(f"{job.recording}\t{line}\n" for line in text.split("\n")[:-1])


def _model(args: argparse.Namespace):
    verify = not args.skip_checksum
    return _loaded(args.file, args.threads, args.weight_cache, verify, args.widen)


@functools.lru_cache(maxsize=1)
def _loaded(file: str, threads: int, weight_cache: bool, verify: bool, widen: "Widen"):
    from tflite_export.runtime.transcriber import load
    from tflite_export.silence import silence

    with silence():  # LiteRT prints what its exceptions say
        return load(file, threads, weight_cache, verify=verify, widen=widen)


def _check(args: argparse.Namespace, recordings: "list[Recording]") -> None:
    """Raise `UserError` for options that do not go together."""
    searches = args.beam or args.lm or args.hotwords
    require(searches or not args.nbest, "--nbest: the hypotheses of a beam search: add --beam 8")
    plain = args.format == TEXT and not args.word_timestamps
    require(not args.nbest or plain, "--nbest: has no times: omit --format and --word-timestamps")
    require(math.isfinite(args.late_ms), f"--late-ms {args.late_ms}: is no time")
    several = len(recordings) > 1
    require(
        not several or args.format not in SUBTITLES or args.output is not None,
        f"--format {args.format}: subtitles of several recordings: add --output DIR",
    )
    if args.output:
        names: dict[Path, Recording] = {}
        for each in recordings:
            other = names.setdefault(_written(args, each), each)
            require(other is each, f"{each}: has the name of {other}: transcribe them apart")


def _written(args: argparse.Namespace, recording: "Recording") -> Path:
    stem = "stdin" if recording.content is not None else recording.source.stem
    return files.place(args.output) / f"{stem}.{args.format}"


def _formatted(model, audio, job: _Job) -> str:
    """The text of a recording in the wanted format."""
    from tflite_export.runtime.formats import FORMATS

    args = job.args
    if args.format == TEXT and not args.word_timestamps:
        return f"{model.transcribe(audio, search=job.search)}\n"
    late_s = args.late_ms / 1000
    found = model.transcribe(audio, search=job.search, timestamps=True, late_s=late_s)
    return FORMATS[args.format](job.recording.source, found, args.word_timestamps)


def _nbest(recogniser, audio, job: _Job) -> str:
    """Rank, score, score for each label and text, separated by tabs."""
    from asr_qat.decoding.hypothesis import format_nbest
    from tflite_export.runtime.decoder import Decoder

    assert job.search is not None  # see `_check`
    features = recogniser.features(audio)
    if len(features) == 0:
        return ""
    found = Decoder(recogniser, job.search).nbest(features, job.search.width)
    return f"{format_nbest(found, recogniser.metadata.tokenizer.decode)}\n"
