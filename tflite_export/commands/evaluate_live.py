"""`tflite-export evaluate --streaming`."""

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from asr_qat import files
from asr_qat.counted import counted
from asr_qat.errors import require
from tflite_export.commands.figures import SHOWN, chosen_normalizer, left_out, refuse_unread, show

if TYPE_CHECKING:
    from asr_qat.corpora.utterance import Utterance
    from tflite_export.runtime.live.live_model import LiveModel
    from tflite_export.runtime.recogniser import TFLiteRecogniser
    from tflite_export.score.live_evaluate import StreamedRun
    from tflite_export.score.live_rows import PassRates, StreamedComparison, StreamedEvaluation


def run(args: argparse.Namespace) -> None:
    """Stream every recording, print the figures of both passes and write the hypotheses."""
    from asr_qat.corpora.recordings import recordings
    from tflite_export.runtime.live.live_model import live_model
    from tflite_export.runtime.recogniser import TFLiteRecogniser
    from tflite_export.score import evaluate
    from tflite_export.score.live_evaluate import run_streamed
    from tflite_export.silence import silence

    for option in ("beam", "lm", "hotwords"):
        message = f"--{option}: a stream is searched greedily: omit it"
        require(not getattr(args, option), message)
    with silence():  # LiteRT announces its delegate in the first call
        verify = not args.skip_checksum
        device = TFLiteRecogniser(args.file, args.threads, verify=verify, widen=args.widen)
        model = live_model(device)
    args.normalizer = chosen_normalizer(args, device.metadata)
    every = recordings(args.data, args.split, args.normalizer)
    keras = None
    if args.compare:
        from tflite_export.score.compare import matching_model  # needs TensorFlow

        keras = matching_model(args.compare, device.metadata)
    unread: list[Utterance] = []
    result = run_streamed(model, every, args.chunk_ms, args.quiet, unread)
    items = [item for item in every if item not in unread]
    found = _evaluation(args, device, model, items, result, len(unread))
    if keras is not None:
        from tflite_export.score.live_compare import compare_streamed

        comparison = compare_streamed(keras, device, items, result, args.quiet)
        found = dataclasses.replace(found, against_keras=comparison)
    show(args, found, _print)
    for name, texts in result.hypotheses.items():
        written = _hypotheses_file(args, name)
        evaluate.write_hypotheses(written, items, texts)
        if not args.json:
            print(f"hypotheses of the {name} pass: {written}")
    refuse_unread(len(unread), len(every))


def _evaluation(
    args: argparse.Namespace,
    device: "TFLiteRecogniser",
    model: "LiveModel",
    items: "list[Utterance]",
    result: "StreamedRun",
    unread: int,
) -> "StreamedEvaluation":
    """The figures of the file, and beside those of the baseline."""
    from asr_qat.corpora.recordings import skipped_in_preparation
    from asr_qat.provenance import Provenance
    from tflite_export.runtime.live.encoder import delays_ms
    from tflite_export.runtime.live.live_model import live_model
    from tflite_export.runtime.recogniser import TFLiteRecogniser
    from tflite_export.score import evaluate
    from tflite_export.score.live_evaluate import live_peak_rss_mb, run_streamed, summarize_streamed
    from tflite_export.score.live_rows import StreamedEvaluation
    from tflite_export.score.rows import combine

    verify = not args.skip_checksum
    facts = evaluate.describe(device)
    other, ratio = None, None
    if args.baseline:
        baseline = TFLiteRecogniser(args.baseline, args.threads, verify=verify)
        other = run_streamed(live_model(baseline), items, args.chunk_ms, args.quiet)
        ratio = baseline.bytes / facts.bytes
    look_ahead_ms, delay_ms = delays_ms(model.encoder)
    longest = float(result.audio_seconds.max())
    return combine(
        StreamedEvaluation,
        facts,
        summarize_streamed(result, items, args.chunk_ms, args.threads, other, args.normalizer),
        Provenance.of_this_run(0),
        name=Path(args.file).name,
        ratio=ratio,
        look_ahead_ms=look_ahead_ms,
        delay_ms=delay_ms,
        normalizer=args.normalizer,
        peak_rss_mb=live_peak_rss_mb(
            args.file, longest, args.chunk_ms, args.threads, verify, args.widen
        ),
        left_out=unread + skipped_in_preparation(args.data, args.split),
    )


def _hypotheses_file(args: argparse.Namespace, name: str) -> Path:
    """The name of the file, with that of the pass before its suffix."""
    path = files.place(args.hypotheses or f"{args.file}.hypotheses.jsonl")
    return path.with_name(f"{path.stem}.{name}{path.suffix}")


def _print(found: "StreamedEvaluation") -> None:
    print(f"{found.name}: live, {found.method} {found.widths}")
    if found.ratio:
        print(f"{found.ratio:.2f} times smaller than the baseline")
    print(f"first pass, delay {found.look_ahead_ms:.0f} ms: {_rates(found.first)}")
    print(f"second pass, delay {found.delay_ms:.0f} ms: {_rates(found.second)}")
    chunk = ", ".join(f"{name} {ms:.1f}" for name, ms in vars(found.chunk_compute_ms).items())
    print(
        f"{counted(found.utterances, 'utterance')}, {counted(found.words, 'word')}"
        f"{left_out(found)}, normaliser {found.normalizer}"
    )
    print(
        f"chunks of {found.chunk_ms} ms: {found.chunks}, late {found.late_chunks}; "
        f"compute in ms: {chunk}"
    )
    print(
        f"real-time factor {found.rtf:.4f}; {counted(found.threads, 'thread')}, "
        f"peak memory {found.peak_rss_mb:.0f} MB"
    )
    if found.against_keras is not None:
        _print_comparison(found.against_keras)


def _print_comparison(found: "StreamedComparison") -> None:
    for name, own in (("first", found.first), ("second", found.second)):
        print(
            f"against Keras on whole utterances, {name} pass: {own.identical_hypotheses:.1%} "
            "identical hypotheses"
        )
        for row in own.different[:SHOWN]:
            print(f"  {row.id}: {row.keras!r} != {row.tflite!r}")
    if found.products:
        worst = max(found.products, key=lambda row: row.max_error)
        print(
            f"{len(found.products)} quantized products; largest difference {worst.max_error:.1e} "
            f"of the output's range ({worst.layer})"
        )


def _rates(row: "PassRates") -> str:
    low, high = row.wer_ci
    rates = f"WER {row.wer:.2%} [{low:.2%}, {high:.2%}], CER {row.cer:.2%}"
    if row.wer_diff_ci is None:
        return rates
    low, high = row.wer_diff_ci
    return (
        f"{rates}, difference {row.wer_diff:+.2%} [{low:+.2%}, {high:+.2%}], "
        f"{100 * (row.words_changed or 0):.2f} words in 100 changed"
    )
