"""`tflite-export streaming`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tflite_export.commands.arguments import add_chunk_ms, seconds, threads, whole_number

if TYPE_CHECKING:
    from asr_qat.provenance import Provenance
    from experiments.live.latency_rows import Delays
    from experiments.live.live_results import CorpusName
    from tflite_export.score.rows import Rates, Times

HELP = """Measure live models: words of both passes, size and speed of a production preset, latency
and an hour of speech, several streams at once. Each writes results, and a table of them beside."""
LABELS_GIVEN = "--labels-per-second"
FLOAT_NAME = "float32"


def add_parser(subparsers) -> None:
    """Add the subcommand, its own subcommands and their arguments."""
    parser = subparsers.add_parser("streaming", help="measure live models", description=HELP)
    own = parser.add_subparsers(dest="measure", required=True)
    _add_accuracy(own)
    _add_scale(own)
    _add_latency(own)
    _add_server(own)


def _add(
    subparsers, name: str, text: str, out: str, run, several_chunks: bool = False
) -> argparse.ArgumentParser:
    parser = subparsers.add_parser(name, help=text, description=text)
    parser.add_argument("--threads", type=threads, default=1, help="CPU threads")
    parser.add_argument("--out", default=f"results/{out}", help="(default: %(default)s)")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    add_chunk_ms(parser, several_chunks)
    parser.set_defaults(run=run)
    return parser


def _add_accuracy(subparsers) -> None:
    text = "word error rates of both passes of float and quantized files, beside an offline model"
    parser = _add(subparsers, "accuracy", text, "streaming_an4.json", _accuracy)
    parser.add_argument("--float", required=True, help=".tflite of the float live model")
    parser.add_argument(
        "--quantized", required=True, nargs="+", help=".tflite files of quantized live models"
    )
    parser.add_argument("--offline", required=True, help=".tflite of the offline transducer")
    parser.add_argument("--data", required=True, help="prepared folder")
    parser.add_argument("--splits", nargs="+", default=["test", "dev"], help="(default: test dev)")


def _add_scale(subparsers) -> None:
    text = "size, speed and memory of a live preset, from initial weights"
    parser = _add(subparsers, "scale", text, "streaming_scale.json", _scale, several_chunks=True)
    parser.add_argument("--preset", default="live_l", help="(default: live_l)")
    parser.add_argument(
        "--data",
        help="folder that holds training parts of LibriSpeech (default: "
        "$ASR_QAT_DATA, else 7 GB are downloaded)",
    )
    parser.add_argument(
        "--tokenizer", help="SentencePiece model (default: 1,024 pieces learned from LibriSpeech)"
    )
    parser.add_argument(
        LABELS_GIVEN,
        type=seconds(LABELS_GIVEN),
        help="of speech; with --tokenizer, instead of LibriSpeech's",
    )
    parser.add_argument("--seconds", type=seconds("--seconds"), default=60.0, help="of each run")
    parser.add_argument("--work", default="work/streaming_scale", help="folder for the files")
    parser.add_argument("--keep", action="store_true", help="leave the files in --work")
    parser.add_argument("--seed", type=int, default=0)


def _add_latency(subparsers) -> None:
    text = "from the end of a word to its appearance; memory over an hour of speech"
    parser = _add(subparsers, "latency", text, "streaming_latency.json", _latency)
    parser.add_argument("file", help=".tflite of a live model")
    parser.add_argument("--data", required=True, help="prepared folder")
    parser.add_argument("--split", default="test", help="of the words (default: test)")
    parser.add_argument(
        "--align",
        default="models/an4_tiny_float",
        help="CTC model directory that finds where words end (default: %(default)s)",
    )
    parser.add_argument(
        "--long-splits", nargs="+", default=["test", "dev", "train"], help="of the long speech"
    )
    parser.add_argument(
        "--long-seconds", type=seconds("--long-seconds"), default=3600.0, help="(default: 3600)"
    )


def _add_server(subparsers) -> None:
    text = "several streams at once through the server, beside clients that do not behave"
    parser = _add(subparsers, "server", text, "streaming_server.json", _server)
    parser.add_argument("file", help=".tflite of a live model")
    parser.add_argument("--data", required=True, help="prepared folder")
    parser.add_argument("--split", default="test", help="(default: test)")
    parser.add_argument(
        "--streams", type=whole_number("--streams", 1, 100), default=8, help="(default: 8)"
    )
    parser.add_argument("--seconds", type=seconds("--seconds"), default=60.0, help="of each")
    parser.add_argument(
        "--speed", type=seconds("--speed"), default=1.0, help="times that of speech (default: 1)"
    )


def _accuracy(args: argparse.Namespace) -> None:
    from asr_qat.errors import require
    from asr_qat.provenance import Provenance
    from asr_qat.quantize.precision import FLOAT
    from experiments.live.accuracy import BOTH, accuracy
    from experiments.live.live_results import AccuracyResults
    from tflite_export.runtime.metadata import read_metadata
    from tflite_export.score.rows import combine

    files = {FLOAT_NAME: args.float} | {Path(path).stem: path for path in args.quantized}
    require(len(files) == 1 + len(args.quantized), "--quantized: files of the same name")
    precision = read_metadata(args.float).precision
    require(
        precision == FLOAT, f"--float {args.float}: is {precision}: give the float model's file"
    )
    figures = accuracy(
        files, args.offline, args.data, args.splits, args.chunk_ms, args.threads, args.quiet
    )
    origin = Provenance.of_this_run(0)
    found = combine(AccuracyResults, figures, origin, corpus=_corpus(args.data))
    _write(args, found)
    for row in found.rows:
        line = f"{row.name}: {_wer(row.rates[BOTH])}"
        if row.rates[BOTH].wer_diff_ci:
            line += "; differences" + ",".join(
                f" {split} {row.rates[split].wer_diff:+.2%} [{bounds[0]:+.2%}, {bounds[1]:+.2%}]"
                for split in (*args.splits, BOTH)
                if (bounds := row.rates[split].wer_diff_ci)
            )
            line += f"; {row.ratio:.2f} times smaller"
        print(line)
    print(f"{found.beside.name}: {_wer(found.beside.rates[BOTH])}")


def _wer(rates: "Rates") -> str:
    low, high = rates.wer_ci
    return f"WER {rates.wer:.2%} [{low:.2%}, {high:.2%}]"


def _scale(args: argparse.Namespace) -> None:
    from asr_qat.errors import UserError, require
    from asr_qat.models.presets import STREAMING
    from asr_qat.text.tokenizer import Tokenizer
    from experiments.live.production_size import streaming_scale

    require(args.preset in STREAMING, f"--preset {args.preset}: expected {', '.join(STREAMING)}")
    labels = args.labels_per_second
    require(labels is None or args.tokenizer, f"{LABELS_GIVEN}: needs --tokenizer")
    corpus = None
    if labels is not None:
        tokenizer = Tokenizer.load(args.tokenizer)
    else:
        from asr_qat.corpora.transcript_lengths import measure_lengths

        try:
            lengths = measure_lengths(args.data, args.tokenizer, quiet=args.quiet)
        except UserError as error:
            hint = f"{LABELS_GIVEN} with --tokenizer does without LibriSpeech"
            raise UserError(f"{error}; {hint}") from None
        tokenizer, labels = lengths.tokenizer, lengths.labels_per_second
        corpus = lengths.corpus
    found = streaming_scale(
        args.preset,
        tokenizer,
        labels,
        args.work,
        args.chunk_ms,
        args.seconds,
        args.threads,
        args.seed,
        args.keep,
        args.quiet,
        corpus,
    )
    _write(args, found)
    for row in found.rows:
        print(
            f"{row.name}: {row.bytes:,} bytes, {row.ratio:.2f} times smaller; "
            f"peak memory {row.peak_rss_mb:.0f} MB"
        )
        for ms, chunks in row.chunks.items():
            print(
                f"  chunks of {ms} ms: real-time factor {chunks.rtf:.3f}, "
                f"{_times(chunks.compute_ms)}; {chunks.endpoints} with an endpoint "
                f"{_times(chunks.endpoint_ms)}"
            )


def _latency(args: argparse.Namespace) -> None:
    import dataclasses

    from asr_qat.corpora.recordings import recordings
    from asr_qat.models.model_directory import Recogniser
    from asr_qat.provenance import Provenance
    from experiments.live.alignment import WordEnds
    from experiments.live.latency import latency
    from experiments.live.latency_rows import LatencyResults
    from experiments.live.long_recording import long_run
    from tflite_export.runtime.live.live_model import load_model
    from tflite_export.score.rows import combine
    from tflite_export.silence import silence

    with silence():  # LiteRT announces its delegate in the first call
        model = load_model(args.file, args.threads)
    items = recordings(args.data, args.split)
    ends = WordEnds(Recogniser.load(args.align))
    words = latency(model, items, ends, args.chunk_ms, quiet=args.quiet)
    aligned = dataclasses.replace(words.alignment, model=args.align, frame_ms=ends.frame_ms)
    words = dataclasses.replace(words, alignment=aligned)
    splits = tuple(args.long_splits)
    long = long_run(
        args.file,
        args.data,
        splits,
        args.long_seconds,
        chunk_ms=args.chunk_ms,
        threads=args.threads,
    )
    found = combine(
        LatencyResults,
        Provenance.of_this_run(0),
        corpus=_corpus(args.data),
        file=Path(args.file).name,
        words=words,
        long=long,
    )
    _write(args, found)
    for name in ("first_pass", "second_pass", "announced"):
        own = getattr(words, name)
        print(f"{name}: {own.words} words, {_times(own.ms)}")
    print(
        f"{long.audio_seconds:.0f} s of speech: memory {long.rss_mb[0]:.1f} MB after a "
        f"minute, {long.growth_mb:+.1f} MB at the end; of {long.words} words "
        f"{long.different_cut_in_pauses} differ when it is cut in the pauses, "
        f"{long.different_words} when it is cut at its endpoints; without pauses, "
        f"{long.without_pauses.different_words} of {long.without_pauses.words} from "
        "the recordings alone"
    )


def _server(args: argparse.Namespace) -> None:
    from asr_qat.provenance import Provenance
    from experiments.live.live_results import ServerResults
    from experiments.live.many_streams import many_streams
    from tflite_export.score.rows import combine

    figures = many_streams(
        args.file,
        args.data,
        args.split,
        args.streams,
        args.seconds,
        chunk_ms=args.chunk_ms,
        speed=args.speed,
        threads=args.threads,
    )
    name, origin = Path(args.file).name, Provenance.of_this_run(0)
    _write(args, combine(ServerResults, figures, origin, corpus=_corpus(args.data), file=name))
    print(
        f"{figures.streams} streams: {figures.identical_streams} with the words of a session "
        f"alone, {figures.late_chunks} late chunks, {figures.late_responses} of "
        f"{figures.responses} answers late; answers: {_times(figures.response_ms)}"
    )


def _times(ms: "Times | Delays | None") -> str:
    if ms is None:
        return "none"
    return ", ".join(f"{name} {value:.1f}" for name, value in vars(ms).items()) + " ms"


def _corpus(data: str) -> "CorpusName | None":
    """What a prepared folder says of its corpus; None for a manifest."""
    from asr_qat import files
    from experiments.live.live_results import CorpusName

    path = Path(data) / "corpus.json"
    if not path.is_file():
        return None
    content = files.read_json(path)
    return CorpusName(**{key: content[key] for key in ("name", "description", "licence")})


def _write(args: argparse.Namespace, found: "Provenance") -> None:
    """Write the results and their table."""
    import dataclasses

    from asr_qat import files
    from experiments.live.tables import table_of

    files.write_json(args.out, dataclasses.asdict(found))
    files.write_text(Path(args.out).with_suffix(".md"), table_of(found))
