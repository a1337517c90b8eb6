"""`tflite-export transcribe`."""

import argparse
import dataclasses
import functools
import logging
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

from asr_qat import files
from asr_qat.errors import UserError, require
from tflite_export.commands.arguments import (
    add_fusion,
    add_weight_cache,
    beam,
    beam_search,
    threads,
    whole_number,
)

if TYPE_CHECKING:
    from asr_qat.audio.heard import AudioBytes
    from tflite_export.runtime.beam_search import BeamSearch

_LOGGER = logging.getLogger(__name__)
MOST_JOBS = os.cpu_count() or 1

TEXT, SUBTITLES = "txt", ("srt", "vtt")
FORMATS = (TEXT, "json", *SUBTITLES, "ctm")


def add_parser(subparsers) -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser("transcribe", help="print the text of recordings")
    parser.add_argument("file", help=".tflite file; of a live model: the second pass's text")
    parser.add_argument(
        "audio",
        nargs="+",
        help="recordings, folders of recordings, or - for one from standard input",
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
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print one line for each file, with its name if there are several, or another format."""
    from asr_qat.parallel.run_jobs import in_order, run_jobs
    from asr_qat.parallel.workers import Workers
    from tflite_export.commands.inputs import named_recordings, recording

    args.audio = named_recordings(args.audio)
    _check(args)
    model = _model(args.file, args.threads, args.weight_cache)
    search = beam_search(args)
    if model.recogniser.live:
        message = "a live model searches greedily: omit --beam, --lm and --hotwords"
        require(search is None, f"{args.file}: {message}")
    workers = Workers(number=min(args.jobs, len(args.audio)))
    jobs = [_Job(args, search, index, recording(name)) for index, name in enumerate(args.audio)]
    failed = 0
    for job, found in in_order(run_jobs(_transcribe, jobs, workers), jobs):
        name = args.audio[job.index]
        if isinstance(found, _Unread):
            require(len(jobs) > 1, found.reason)
            _LOGGER.warning("%s", found.reason)
            failed += 1
        elif args.output:
            files.write_text(_written(args, name), found)
        else:
            print(found, end="", flush=True)
    require(not failed, f"{failed} of {len(jobs)} recordings cannot be read, see above")


@dataclasses.dataclass(frozen=True)
class _Job:
    args: argparse.Namespace
    search: "BeamSearch | None"
    index: int
    source: "str | AudioBytes"

    def __str__(self) -> str:
        return str(self.source)


@dataclasses.dataclass(frozen=True)
class _Unread:
    reason: str


def _transcribe(job: _Job) -> str | _Unread:
    """What is printed or written for a recording, by whatever process."""
    from asr_qat.audio.decode import read_audio
    from tflite_export.silence import silence

    args = job.args
    model = _model(args.file, args.threads, args.weight_cache)
    try:
        audio = read_audio(job.source, model.sample_rate)
    except UserError as error:
        return _Unread(str(error))
    name = args.audio[job.index]
    with silence():  # LiteRT announces its delegate in the first call
        if args.nbest:
            return _nbest(model.recogniser, audio, name, job.search, args)
        return _transcribed(model, audio, name, job.search, args)


@functools.lru_cache(maxsize=1)
def _model(file: str, threads: int, weight_cache: bool):
    from tflite_export.runtime.transcriber import load
    from tflite_export.silence import silence

    with silence():  # LiteRT prints what its exceptions say
        return load(file, threads, weight_cache)


def _check(args: argparse.Namespace) -> None:
    """Raise `UserError` for options that do not go together."""
    searches = args.beam or args.lm or args.hotwords
    require(searches or not args.nbest, "--nbest: the hypotheses of a beam search: add --beam 8")
    plain = args.format == TEXT and not args.word_timestamps
    require(not args.nbest or plain, "--nbest: has no times: omit --format and --word-timestamps")
    require(math.isfinite(args.late_ms), f"--late-ms {args.late_ms}: is no time")
    several = len(args.audio) > 1
    require(
        not several or args.format not in SUBTITLES or args.output is not None,
        f"--format {args.format}: subtitles of several recordings: add --output DIR",
    )
    if args.output:
        names: dict[Path, str] = {}
        for path in args.audio:
            other = names.setdefault(_written(args, path), path)
            require(other is path, f"{path}: has the name of {other}: transcribe them apart")


def _written(args: argparse.Namespace, path: str) -> Path:
    stem = "stdin" if path == "-" else Path(path).stem
    return files.place(args.output) / f"{stem}.{args.format}"


def _transcribed(model, audio, path: str, search, args: argparse.Namespace) -> str:
    """What is printed or written for a recording."""
    from tflite_export.runtime.formats import FORMATS

    by_word = args.word_timestamps
    if args.format == TEXT and not by_word:
        return _named(f"{model.transcribe(audio, search=search)}\n", path, args)
    late_s = args.late_ms / 1000
    found = model.transcribe(audio, search=search, timestamps=True, late_s=late_s)
    content = FORMATS[args.format](path, found, by_word)
    return _named(content, path, args) if args.format == TEXT else content


def _named(text: str, path: str, args: argparse.Namespace) -> str:
    """Lines that are printed, with the name of the recording if there are several."""
    if args.output or len(args.audio) == 1:
        return text
    return "".join(f"{path}\t{line}\n" for line in text.split("\n")[:-1])


def _nbest(recogniser, audio, path: str, search, args: argparse.Namespace) -> str:
    """Rank, score, score for each label and text, separated by tabs."""
    from asr_qat.decoding.hypothesis import format_nbest
    from tflite_export.runtime.decoder import Decoder

    features = recogniser.features(audio)
    if len(features) == 0:
        return ""
    found = Decoder(recogniser, search).nbest(features, search.width)
    lines = format_nbest(found, recogniser.metadata.tokenizer.decode)
    return _named(f"{lines}\n", path, args)
