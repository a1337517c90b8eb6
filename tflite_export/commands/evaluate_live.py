"""`tflite-export evaluate --streaming`."""

import argparse
import json
from pathlib import Path
from typing import Any

from asr_qat.errors import require

SHOWN = 5  # utterances with another hypothesis than the Keras model's


def run(args: argparse.Namespace) -> None:
    """Stream every recording, print the figures of both passes and write the hypotheses."""
    from asr_qat.corpora.recordings import recordings
    from asr_qat.provenance import provenance
    from tflite_export.runtime.live.encoder import delays_ms
    from tflite_export.runtime.live.live_model import live_model
    from tflite_export.runtime.recogniser import TFLiteRecogniser
    from tflite_export.score import evaluate
    from tflite_export.score.live_evaluate import live_peak_rss_mb, run_streamed, summarize_streamed
    from tflite_export.silence import silence

    require(not args.beam, "--beam: a stream is searched greedily: omit it")
    items = recordings(args.data, args.split)
    with silence():  # LiteRT announces its delegate in the first call
        device = TFLiteRecogniser(args.file, args.threads)
        model = live_model(device)
    other, ratio = None, None
    keras = None
    if args.compare:
        from tflite_export.score.compare import matching_model  # needs TensorFlow

        keras = matching_model(args.compare, device.metadata)
    if args.baseline:
        baseline = TFLiteRecogniser(args.baseline, args.threads)
        other = run_streamed(live_model(baseline), items, args.chunk_ms, args.quiet)
        ratio = baseline.path.stat().st_size / device.path.stat().st_size
    result = run_streamed(model, items, args.chunk_ms, args.quiet)
    look_ahead_ms, delay_ms = delays_ms(model.encoder)
    summary = {
        "name": Path(args.file).name,
        **evaluate.describe(device),
        "ratio": ratio,
        **summarize_streamed(result, items, args.chunk_ms, args.threads, other),
        "look_ahead_ms": look_ahead_ms,
        "delay_ms": delay_ms,
    }
    longest = float(result.audio_seconds.max())
    summary["peak_rss_mb"] = live_peak_rss_mb(args.file, longest, args.chunk_ms, args.threads)
    if keras is not None:
        from tflite_export.score.live_compare import compare_streamed

        summary["against_keras"] = compare_streamed(keras, device, items, result, args.quiet)
    if args.json:
        print(json.dumps({**summary, **provenance(0)}, indent=2))
    else:
        print(f"{args.data} ({args.split})" if Path(args.data).is_dir() else args.data)
        _print(summary)
    for name, texts in result.hypotheses.items():
        written = _hypotheses_file(args, name)
        evaluate.write_hypotheses(written, items, texts)
        if not args.json:
            print(f"hypotheses of the {name} pass: {written}")


def _hypotheses_file(args: argparse.Namespace, name: str) -> Path:
    """The name of the file, with that of the pass before its suffix."""
    path = Path(args.hypotheses or f"{args.file}.hypotheses.jsonl")
    return path.with_name(f"{path.stem}.{name}{path.suffix}")


def _print(summary: dict[str, Any]) -> None:
    print(f"{summary['name']}: live, {summary['method']} {summary['widths']}")
    if summary["ratio"]:
        print(f"{summary['ratio']:.2f} times smaller than the baseline")
    for name, delay in (("first", summary["look_ahead_ms"]), ("second", summary["delay_ms"])):
        print(f"{name} pass, {delay:.0f} ms behind: {_rates(summary[name])}")
    chunk = ", ".join(f"{name} {ms:.1f}" for name, ms in summary["chunk_compute_ms"].items())
    print(f"{summary['utterances']} utterances, {summary['words']} words")
    print(
        f"chunks of {summary['chunk_ms']} ms: {summary['chunks']}, late {summary['late_chunks']}; "
        f"compute in ms: {chunk}"
    )
    print(
        f"real-time factor {summary['rtf']:.4f}; {summary['threads']} thread(s), "
        f"peak memory {summary['peak_rss_mb']:.0f} MB"
    )
    if "against_keras" in summary:
        _print_comparison(summary["against_keras"])


def _print_comparison(found: dict[str, Any]) -> None:
    for name in ("first", "second"):
        own = found[name]
        print(
            f"against Keras on whole utterances, {name} pass: {own['identical_hypotheses']:.1%} "
            "identical hypotheses"
        )
        for row in own["different"][:SHOWN]:
            print(f"  {row['id']}: {row['keras']!r} != {row['tflite']!r}")
    products = found["products"]
    if products:
        worst = max(products, key=lambda row: row["max_error"])
        print(
            f"{len(products)} quantized products; largest difference {worst['max_error']:.1e} of "
            f"the output's range ({worst['layer']})"
        )


def _rates(row: dict[str, Any]) -> str:
    low, high = row["wer_ci"]
    rates = f"WER {row['wer']:.2%} [{low:.2%}, {high:.2%}], CER {row['cer']:.2%}"
    if row["wer_diff_ci"] is None:
        return rates
    low, high = row["wer_diff_ci"]
    return f"{rates}, difference {row['wer_diff']:+.2%} [{low:+.2%}, {high:+.2%}]"
