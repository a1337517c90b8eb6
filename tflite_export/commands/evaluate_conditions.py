"""`tflite-export evaluate` in noise, at other levels and on an offset: files beside each other."""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

from asr_qat.counted import counted
from asr_qat.errors import require
from tflite_export.commands.arguments import DEFAULT_CHUNK_MS, data_name
from tflite_export.commands.figures import chosen_normalizer, left_out, refuse_unread

if TYPE_CHECKING:
    from asr_qat.corpora.conditions import Condition
    from asr_qat.corpora.utterance import Utterance
    from tflite_export.runtime.beam_search import BeamSearch
    from tflite_export.runtime.recogniser import TFLiteRecogniser
    from tflite_export.score.condition_rows import ConditionRow, ConditionsEvaluation
    from tflite_export.score.conditions import Listener

SNR_DB = (20.0, 10.0, 5.0)
MOST_SEED = 2**32 - 1


def add_conditions(parser: argparse.ArgumentParser) -> None:
    """Add the options that change the recordings."""
    parser.add_argument(
        "--noise",
        nargs="+",
        default=[],
        metavar="NOISE",
        help="score in noise, the same for all files: white, pink, babble (other utterances of the "
        "data), or a folder with recordings of noise",
    )
    parser.add_argument(
        "--snr",
        nargs="+",
        type=float,
        metavar="DB",
        help="with --noise: ratios of the recording's power to that of the noise "
        f"(default: {' '.join(f'{db:g}' for db in SNR_DB)})",
    )
    parser.add_argument(
        "--gain-db", nargs="+", type=float, default=[], metavar="DB", help="score at other levels"
    )
    parser.add_argument(
        "--dc",
        nargs="+",
        type=float,
        default=[],
        metavar="SHARE",
        help="score on an offset, as a share of full scale",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the noise (default: %(default)s)")


def asked(args: argparse.Namespace) -> bool:
    """Whether there are conditions to score under. Raises `UserError` for --snr alone."""
    require(bool(args.noise) or args.snr is None, "--snr: of which noise: add --noise")
    return bool(args.noise or args.gain_db or args.dc)


def run(args: argparse.Namespace, search: "BeamSearch | None") -> None:
    """Recognise every recording under every condition and print the table."""
    from asr_qat.corpora.recordings import recordings
    from tflite_export.score.conditions import score
    from tflite_export.silence import silence

    for option in ("compare", "card", "hypotheses"):
        message = f"--{option}: is of the recordings as they are: omit it, or the conditions"
        require(not getattr(args, option), message)
    message = "--beam, --lm, --hotwords: a stream is searched greedily: omit them"
    require(not (args.streaming and search), message)
    require(0 <= args.seed <= MOST_SEED, f"--seed {args.seed}: expected 0 to {MOST_SEED}")
    with silence():  # LiteRT prints what its exceptions say, and announces its delegate
        listeners, baseline = _listeners(args, search)
    first = listeners[0].recogniser
    args.file = first.path
    args.normalizer = chosen_normalizer(args, first.metadata)
    every = recordings(args.data, args.split, args.normalizer)
    rate = first.metadata.front_end.sample_rate
    _check_noises(_conditions(args, every), rate)  # mistakes are said before all is read
    readable = _readable(every, rate)
    conditions = _conditions(args, readable)
    rows = score(listeners, baseline, readable, conditions, args.normalizer, args.quiet)
    found = _evaluation(args, listeners, baseline, readable, len(every) - len(readable), rows)
    if args.json:
        print(json.dumps(dataclasses.asdict(found), indent=2))
    else:
        _print(found)
    refuse_unread(len(every) - len(readable), len(every))


def _listeners(
    args: argparse.Namespace, search: "BeamSearch | None"
) -> "tuple[list[Listener], Listener | None]":
    """The files, and the one that they are compared with; they hear the same."""
    from tflite_export.runtime.recogniser import TFLiteRecogniser
    from tflite_export.runtime.widen import AUTO
    from tflite_export.score.conditions import listener

    paths = [*args.files, *([args.baseline] if args.baseline else [])]
    widths = [args.widen] * len(args.files) + [AUTO] * bool(args.baseline)
    names = [Path(path).name for path in paths]
    unique = len(set(names)) == len(names)
    chunk_ms = (args.chunk_ms or DEFAULT_CHUNK_MS) if args.streaming else None
    found, rates = [], []
    for path, name, widen in zip(paths, names, widths, strict=True):
        device = TFLiteRecogniser(path, args.threads, verify=not args.skip_checksum, widen=widen)
        _require_kind(device, args.streaming)
        found.append(listener(name if unique else str(path), device, search, chunk_ms))
        rates.append(device.metadata.front_end.sample_rate)
        require(
            rates[-1] == rates[0],
            f"{path}: hears {rates[-1]} Hz, {paths[0]} {rates[0]} Hz: they would not hear the same "
            "noise: score them one after the other",
        )
    return (found[:-1], found[-1]) if args.baseline else (found, None)


def _require_kind(device: "TFLiteRecogniser", streaming: bool) -> None:
    live = f"{device.path}: a live model: add --streaming"
    whole = f"{device.path}: no live model: omit --streaming"
    require(device.live == streaming, live if device.live else whole)


def _conditions(args: argparse.Namespace, utterances: "list[Utterance]") -> "list[Condition]":
    """Those that are asked for, after the recordings as they are."""
    from asr_qat.corpora.conditions import Condition
    from asr_qat.corpora.noises import noise_named

    noises = [noise_named(name, utterances) for name in args.noise]
    ratios = args.snr or SNR_DB
    found = [Condition(noise, snr_db, seed=args.seed) for noise in noises for snr_db in ratios]
    found += [Condition(gain_db=gain_db) for gain_db in args.gain_db]
    found += [Condition(offset=offset) for offset in args.dc]
    return [Condition(), *(condition for condition in found if condition != Condition())]


def _check_noises(conditions: "list[Condition]", sample_rate: int) -> None:
    """Raise `UserError` for recordings of noise that would stop the run in its midst."""
    from asr_qat.corpora.noises import RecordedNoise

    noises = dict.fromkeys(c.noise for c in conditions if isinstance(c.noise, RecordedNoise))
    for noise in noises:
        noise.check(sample_rate)


def _readable(utterances: "list[Utterance]", sample_rate: int) -> "list[Utterance]":
    """Those that can be read; the others are named."""
    from asr_qat.corpora.recordings import read_each

    unread: list[Utterance] = []
    return [item for item, _ in read_each(utterances, sample_rate, unread)]


def _evaluation(
    args: argparse.Namespace,
    listeners: "list[Listener]",
    baseline: "Listener | None",
    items: "list[Utterance]",
    unread: int,
    rows: "tuple[ConditionRow, ...]",
) -> "ConditionsEvaluation":
    from asr_qat.corpora.recordings import skipped_in_preparation
    from asr_qat.provenance import Provenance
    from asr_qat.text.normalizers import scoring_normalizer
    from tflite_export.score import evaluate
    from tflite_export.score.condition_rows import ConditionFile, ConditionsEvaluation
    from tflite_export.score.rows import combine

    change = scoring_normalizer(args.normalizer)
    files = tuple(
        combine(
            ConditionFile,
            evaluate.describe(each.recogniser),
            name=each.name,
            baseline=each is baseline,
        )
        for each in [*([baseline] if baseline else []), *listeners]
    )
    return combine(
        ConditionsEvaluation,
        Provenance.of_this_run(args.seed),
        data=data_name(args),
        utterances=len(items),
        words=sum(len(change(item.text).split()) for item in items),
        normalizer=args.normalizer,
        left_out=unread + skipped_in_preparation(args.data, args.split),
        files=files,
        rows=rows,
    )


def _print(found: "ConditionsEvaluation") -> None:
    print(
        f"{found.data}: {counted(found.utterances, 'utterance')}, {counted(found.words, 'word')}"
        f"{left_out(found)}, normaliser {found.normalizer}, noise of seed {found.seed}"
    )
    lines = [["condition", "file", "WER % [95%]"]]
    compared = any(row.wer_diff_ci for row in found.rows)
    lines[0] += ["to the baseline [95%]"] if compared else []
    last = None
    for row in found.rows:
        condition = row.condition if row.condition != last else ""
        line = [condition, row.file, _points(row.wer, row.wer_ci)]
        if compared:
            line.append(_points(row.wer_diff, row.wer_diff_ci, "+") if row.wer_diff_ci else "")
        lines.append(line)
        last = row.condition
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(padded).rstrip())


def _points(rate: float | None, ci: tuple[float, float], sign: str = "") -> str:
    """A rate with its interval, in percent or in points."""
    assert rate is not None
    low, high = ci
    return f"{100 * rate:{sign}.2f} [{100 * low:{sign}.2f}, {100 * high:{sign}.2f}]"
