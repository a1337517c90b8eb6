"""`tflite-export evaluate`."""

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from asr_qat.counted import counted
from asr_qat.errors import require
from asr_qat.text.normalizers import NAMES
from tflite_export.commands import evaluate_conditions, evaluate_live
from tflite_export.commands.arguments import (
    DEFAULT_CHUNK_MS,
    add_chunk_ms,
    add_fusion,
    add_skip_checksum,
    add_widen,
    beam,
    beam_search,
    threads,
)
from tflite_export.commands.figures import SHOWN, chosen_normalizer, left_out, refuse_unread, show

if TYPE_CHECKING:
    from asr_qat.corpora.utterance import Utterance
    from tflite_export.runtime.beam_search import BeamSearch
    from tflite_export.runtime.recogniser import TFLiteRecogniser
    from tflite_export.score.evaluate import Run
    from tflite_export.score.rows import Comparison, Evaluation

CHUNKS = "--chunk-ms: for live models only: add --streaming"
SHOWN_CHARACTERS = 80  # of their hypotheses


def add_parser(subparsers) -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser("evaluate", help="score a .tflite on recordings")
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help=".tflite file; several under conditions"
    )
    parser.add_argument("--data", required=True, help="prepared folder, or a manifest (.jsonl)")
    parser.add_argument(
        "--split", default="test", help="of a prepared folder (default: %(default)s)"
    )
    parser.add_argument("--threads", type=threads, default=1, help="CPU threads")
    add_widen(parser)
    add_skip_checksum(parser)
    parser.add_argument(
        "--baseline", metavar="FILE", help="float .tflite: adds ratio and paired WER difference"
    )
    parser.add_argument(
        "--compare", metavar="MODEL_DIR", help="also compare with a Keras model, in greedy search"
    )
    parser.add_argument(
        "--beam",
        type=beam,
        default=0,
        help="hypotheses that the search keeps (default: greedy search; 8 with --lm or --hotwords)",
    )
    add_fusion(parser)
    parser.add_argument(
        "--streaming",
        action="store_true",
        help="for a live model, and required for one: both passes, the recordings in chunks",
    )
    add_chunk_ms(parser)
    parser.set_defaults(chunk_ms=None)
    parser.add_argument(
        "--hypotheses",
        help="file to write, with --streaming one for each pass (default: FILE.hypotheses.jsonl)",
    )
    parser.add_argument(
        "--normalizer",
        choices=NAMES,
        help="that texts go through before words are compared: whisper is Whisper's, for English "
        "(needs the extra `whisper`; default: that of the model's training)",
    )
    parser.add_argument(
        "--card", action="store_true", help="write the figures into the model card, FILE.md"
    )
    evaluate_conditions.add_conditions(parser)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Recognise every recording, print the figures and write the hypotheses."""
    search = beam_search(args)
    require(
        search is None or not args.compare,
        "--compare: follows the greedy search: omit --beam, --lm and --hotwords",
    )
    require(args.streaming or args.chunk_ms is None, CHUNKS)
    if evaluate_conditions.asked(args):
        evaluate_conditions.run(args, search)
        return
    several = (
        "several files: are compared under --noise, --gain-db or --dc: add one, or name one file"
    )
    require(len(args.files) == 1, several)
    (args.file,) = args.files
    message = "--card: describes a file that is whole: omit --skip-checksum"
    require(not (args.card and args.skip_checksum), message)
    if args.streaming:
        args.chunk_ms = args.chunk_ms or DEFAULT_CHUNK_MS
        evaluate_live.run(args)
        return
    _run(args, search)


def _run(args: argparse.Namespace, search: "BeamSearch | None") -> None:
    """The same of a file of whole utterances."""
    from asr_qat.corpora.recordings import recordings
    from tflite_export.score import evaluate
    from tflite_export.silence import silence

    with silence():  # LiteRT prints what its exceptions say
        device, baseline = _devices(args)
    args.normalizer = chosen_normalizer(args, device.metadata)
    every = recordings(args.data, args.split, args.normalizer)
    keras = None
    if args.compare:
        from tflite_export.score.compare import matching_model  # needs TensorFlow

        keras = matching_model(args.compare, device.metadata)
    with silence():  # and announces its delegate in the first call
        device.warm_up()
    unread: list[Utterance] = []
    result = evaluate.run(
        device, every, args.quiet, search=search, logits=keras is not None, unread=unread
    )
    items = [item for item in every if item not in unread]
    found = _evaluation(args, device, items, result, len(unread))
    if baseline is not None:
        other = evaluate.run(baseline, items, args.quiet, search=search, logits=False)
        difference = evaluate.difference(result, other, items, args.normalizer)
        ratio = evaluate.describe(baseline).bytes / found.bytes
        found = dataclasses.replace(found, **vars(difference), ratio=ratio)
    if keras is not None:
        from tflite_export.score.compare import compare

        comparison = compare(keras, device, items, result, args.quiet)
        found = dataclasses.replace(found, against_keras=comparison)
    show(args, found, _print)
    written = args.hypotheses or f"{args.file}.hypotheses.jsonl"
    evaluate.write_hypotheses(written, items, result.hypotheses)
    if not args.json:
        print(f"hypotheses: {written}")
        if args.card:
            print(f"model card: {args.file}.md")
    refuse_unread(len(unread), len(every))


def _devices(args: argparse.Namespace) -> "tuple[TFLiteRecogniser, TFLiteRecogniser | None]":
    """The file, and the one that it is compared with."""
    from tflite_export.runtime.recogniser import TFLiteRecogniser

    verify = not args.skip_checksum
    device = TFLiteRecogniser(args.file, args.threads, verify=verify, widen=args.widen)
    require(not device.live, f"{device.path}: a live model: add --streaming")
    if not args.baseline:
        return device, None
    baseline = TFLiteRecogniser(args.baseline, args.threads, verify=verify)
    require(not baseline.live, f"--baseline {args.baseline}: a live model, unlike FILE")
    return device, baseline


def _evaluation(
    args: argparse.Namespace,
    device: "TFLiteRecogniser",
    items: "list[Utterance]",
    result: "Run",
    unread: int,
) -> "Evaluation":
    """The figures of the file alone."""
    from asr_qat.corpora.recordings import skipped_in_preparation
    from asr_qat.provenance import Provenance
    from tflite_export.score import evaluate
    from tflite_export.score.rows import Difference, Evaluation, combine

    longest = float(result.audio_seconds.max())
    return combine(
        Evaluation,
        evaluate.describe(device),
        evaluate.summarize(result, items, args.threads, args.normalizer),
        Difference(),
        Provenance.of_this_run(0),
        name=Path(args.file).name,
        ratio=None,
        peak_rss_mb=evaluate.peak_rss_mb(
            args.file, longest, args.threads, not args.skip_checksum, args.widen
        ),
        normalizer=args.normalizer,
        by_length=evaluate.by_length(result, items, args.normalizer),
        left_out=unread + skipped_in_preparation(args.data, args.split),
    )


def _print(found: "Evaluation") -> None:
    low, high = found.wer_ci
    latency = ", ".join(f"{name} {ms:.0f}" for name, ms in vars(found.latency_ms).items())
    print(f"{found.name}: {found.method} {found.widths}")
    print(
        f"WER {found.wer:.2%} [{low:.2%}, {high:.2%}], CER {found.cer:.2%} "
        f"({counted(found.utterances, 'utterance')}, {counted(found.words, 'word')}"
        f"{left_out(found)}), normaliser {found.normalizer}"
    )
    if len(found.by_length) > 1:
        for row in found.by_length:
            print(f"  {row.group} s: WER {row.wer:.2%} ({counted(row.utterances, 'utterance')})")
    if found.wer_diff_ci:
        low, high = found.wer_diff_ci
        print(
            f"{found.ratio:.2f} times smaller than the baseline; "
            f"WER difference {found.wer_diff:+.2%} [{low:+.2%}, {high:+.2%}]; "
            f"{100 * (found.words_changed or 0):.2f} words in 100 differ from the baseline's"
        )
    print(
        f"real-time factor {found.rtf:.4f}, latency in ms: {latency}; "
        f"{counted(found.threads, 'thread')}, peak memory {found.peak_rss_mb:.0f} MB"
    )
    if found.against_keras is not None:
        _print_comparison(found.against_keras)


def _print_comparison(found: "Comparison") -> None:
    print(
        f"against Keras: {found.identical_hypotheses:.1%} identical hypotheses; "
        f"logit difference median {found.median_logit_diff:.1e} "
        f"(rounding floor {found.rounding_floor:.1e}), "
        f"largest {found.max_logit_diff:.2g}"
    )
    for row in found.different[:SHOWN]:
        keras, tflite = _shortened(row.keras), _shortened(row.tflite)
        print(f"  {row.id}, step {row.frame}: {keras!r} != {tflite!r}")
        for token, logits in row.logits.items():
            print(f"    class {token}: {logits.keras:.4f} != {logits.tflite:.4f}")
    if len(found.different) > SHOWN:
        print(f"  and {len(found.different) - SHOWN} more: --json has all")


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
