"""What the commands of `tflite-export streaming` found, in Markdown."""

from functools import singledispatch

from asr_qat.provenance import Provenance
from experiments.live.accuracy import BOTH
from experiments.live.latency_rows import Alignment, AllDelays, Delays, LatencyResults
from experiments.live.live_results import (
    AccuracyResults,
    LiveScaleResults,
    OfflineRow,
    PassRow,
    ServerResults,
)
from experiments.reports.page_parts import BYTES_PER_MB, NONE, interval, markdown
from tflite_export.score.live_rows import PassRates
from tflite_export.score.rows import Times

CHOSEN_ON = "dev"  # split
PERCENTILES = ("p50", "p95", "p99", "most")


def _columns(title: str) -> list[str]:
    return [f"{title}, ms: {name}" for name in PERCENTILES]


LAST = _columns("Last words")


@singledispatch
def table_of(found: Provenance) -> str:
    """The table of whatever a command found."""
    raise TypeError(f"no table of {type(found).__name__}")


@table_of.register
def accuracy_table(found: AccuracyResults) -> str:
    """Both passes of each file, by split, and the offline model below them."""
    splits = list(found.splits)
    header = ["Model", "MB", "Smaller"]
    header += [f"WER % of {split} [95%]" for split in splits]
    header += [f"Difference to float32, {split} [95%]" for split in (*splits, BOTH)]
    header += ["CER %, all"]

    def line(row: PassRow | OfflineRow, ratio: str) -> list[str]:
        own = [row.rates[split] for split in splits]
        rates = [f"{100 * each.wer:.1f} {interval(each.wer_ci)}" for each in own]
        differences = [_difference(row.rates[split]) for split in (*splits, BOTH)]
        size = f"{row.bytes / BYTES_PER_MB:.2f}"
        cer = f"{100 * row.rates[BOTH].cer:.1f}"
        return [row.name, size, ratio, *rates, *differences, cer]

    rows = [line(row, f"{row.ratio:.2f}x") for row in found.rows]
    rows.append(line(found.beside, NONE))
    choice = (
        f" Checkpoints were chosen and widths assigned on {CHOSEN_ON}, which is a part of what is "
        "scored: the other splits are free of that choice."
        if CHOSEN_ON in splits
        else ""
    )
    counts = ", ".join(
        f"{own.utterances} utterances with {own.words} words of {split}"
        for split, own in found.splits.items()
    )
    times = [
        [name, f"{own.rtf:.3f}", *_times(own.chunk_compute_ms), *_times(own.finish_ms)]
        for name, own in found.speed.items()
    ]
    return "\n\n".join(
        [
            markdown(header, rows),
            f"Streamed in chunks of {found.chunk_ms} ms: {counts}. Differences are paired, "
            f"in percentage points, of each split and of all together.{choice} Of whole "
            f"utterances is `{found.beside.file}`, a model of its own with its own training: the "
            "line says what an offline file of this corpus does, not what streaming costs.",
            markdown(["File", "RTF", *_columns("Chunk"), *LAST], times),
            _machine(found, next(iter(found.speed.values())).threads),
        ]
    )


@table_of.register
def live_scale_table(found: LiveScaleResults) -> str:
    """Size, time and memory of each file of a preset."""
    files, speed, ends = [], [], []
    for row in found.rows:
        cells = [row.name, f"{row.bytes / BYTES_PER_MB:.1f}", f"{row.ratio:.2f}x"]
        files.append([*cells, f"{row.peak_rss_mb:.0f}", f"{row.convert_seconds:.0f}"])
        for ms, own in row.chunks.items():
            late = f"{own.late} of {own.count}"
            speed.append([row.name, ms, f"{own.rtf:.3f}", *_times(own.compute_ms), late])
            times = [*_times(own.endpoint_ms), *_times(own.finish_ms)]
            ends.append([row.name, ms, f"{own.endpoints} of {own.count}", *times])
    return "\n\n".join(
        [
            markdown(["File", "MB", "Smaller", "Peak MB", "Export, s"], files),
            markdown(["File", "Chunk, ms", "RTF", *_columns("Chunk"), "Late"], speed),
            markdown(
                ["File", "Chunk, ms", "With an endpoint", *_columns("Such a chunk"), *LAST],
                ends,
            ),
            f"{found.parameters:,} parameters, {found.vocabulary:,} word pieces, initial "
            f"weights. The first pass waits for {found.look_ahead_ms:g} ms, the second for "
            f"{found.delay_ms:g} ms. A chunk's time has front end, both encoders and both "
            f"searches in it, at {found.labels_per_second:.2f} labels a second for "
            f"{found.speech_s:g} s, then none for {found.pause_s:g} s, in "
            f"{found.audio_seconds:g} s of audio. In a chunk with an endpoint the second pass "
            "catches up, and the utterance ends; last words are those at the end of the audio.",
            _machine(found, found.threads),
        ]
    )


@table_of.register
def latency_table(found: LatencyResults) -> str:
    """Delays of the words, then the hour."""
    words, long = found.words, found.long
    without = long.without_pauses
    titles = {
        "first_pass": "first pass: it appears",
        "second_pass": "second pass: it has its final form",
        "announced": "announced as final",
    }

    def lines(delays: AllDelays, count: int) -> list[list[str]]:
        own = {title: getattr(delays, key) for key, title in titles.items()}
        return [
            [title, f"{each.words} of {count}", *_delays(each.ms)] for title, each in own.items()
        ]

    return "\n\n".join(
        [
            markdown(
                ["From the end of a word, ms", "Words", "p5", "p50", "p95"],
                lines(words, words.words),
            ),
            markdown(
                ["Last words, from the end of the sound, ms", "Words", "p5", "p50", "p95"],
                lines(words.last_words, words.utterances),
            ),
            f"{found.file}, {words.utterances} recordings in chunks of {words.chunk_ms} ms. "
            f"{_alignment(words.alignment)} The second table counts from the sound itself.",
            f"**{long.audio_seconds / 60:.0f} minutes in one session**: {long.recordings} "
            f"recordings, {long.recorded_seconds / 60:.0f} minutes, and {long.pause_s:g} s "
            f"of its room's noise after each. Memory: {long.rss_mb[0]:.1f} MB after the first "
            f"minute, {long.growth_mb:+.1f} MB at the end, {long.most_growth_mb:+.1f} MB at the "
            "most. The same audio cut in the middle of each pause, every piece in a session of "
            f"its own: {long.different_cut_in_pauses} of {long.words} words differ. Cut at "
            f"the endpoints of the session, where it forgets all before: "
            f"{long.different_words}, in {len(long.different)} of {long.utterances} "
            f"utterances; {long.ended_by_length} ended by their length, without a pause. "
            f"Real-time factor {long.rtf:.3f}.",
            f"**{without.audio_seconds / 60:.0f} minutes without added pauses**: "
            f"{without.different_words} of {without.words} words are others than those of "
            f"the {without.recordings} recordings, each recognised alone: "
            f"{without.different_at_joins} where two of them join, "
            f"{without.different_words - without.different_at_joins} elsewhere; "
            f"{without.ended_by_length} of {without.utterances} utterances ended by their "
            "length.",
            _machine(found, long.threads),
        ]
    )


def _alignment(found: Alignment) -> str:
    behind = found.last_word_behind_sound_ms
    said = f"Where a word ends is found by forced alignment with `{found.model}`"
    if behind is None:
        return f"{said}."
    return (
        f"{said}, whose last words end {behind.p50:+.0f} ms after the end of the sound (median; "
        f"5% and 95%: {behind.p5:+.0f} and {behind.p95:+.0f})."
    )


@table_of.register
def server_table(found: ServerResults) -> str:
    """One line of figures, and what the other clients did meanwhile."""
    header = [
        "Streams",
        "Late chunks",
        "Late answers",
        "Same words as alone",
        "Ended in good order",
    ]
    header += _columns("Answer")
    streams, did = found.streams, found.rough
    row = [str(streams), str(found.late_chunks)]
    row.append(f"{found.late_responses} of {found.responses}")
    row += [f"{count} of {streams}" for count in (found.identical_streams, found.complete_streams)]
    rough = (
        "Meanwhile three clients sent the largest messages as fast as the server took them. One "
        f"read none of the answers, {did['stalls'].messages} messages: the server closed it "
        f"{did['stalls'].closed} times. One read them between its own, "
        f"{did['floods'].messages} messages: closed {did['floods'].closed} times. "
        f"One broke off {did['disconnects'].broken} times while the server was at work for it."
        if did
        else "No other clients."
    )
    return "\n\n".join(
        [
            markdown(header, [[*row, *_times(found.response_ms)]]),
            f"{found.file}, {found.audio_seconds:g} s of speech in each stream at "
            f"{found.speed:g} times its pace, chunks of {found.chunk_ms} ms, "
            f"{found.words} words. {rough}",
            "An answer is a message with words, and its time is from when the chunk was due, its "
            "last sample spoken; it is late above the duration of a chunk. A late chunk is one "
            "of which the server said that it took longer, from when the server took it up until "
            "it was processed, than it lasts. CPU time that the host of this virtual machine "
            f"gave to others meanwhile: {found.stolen_s:.1f} s.",
            _machine(found, found.threads),
        ]
    )


def _difference(rates: PassRates) -> str:
    """In percentage points with its interval, if there is one."""
    if rates.wer_diff is None or rates.wer_diff_ci is None:
        return NONE
    return f"{100 * rates.wer_diff:+.1f} {interval(rates.wer_diff_ci, '+')}"


def _times(ms: Times | None) -> list[str]:
    return [f"{value:.1f}" for value in vars(ms).values()] if ms else [NONE] * len(PERCENTILES)


def _delays(ms: Delays | None) -> list[str]:
    return [f"{value:.0f}" for value in vars(ms).values()] if ms else [NONE] * 3


def _machine(found: Provenance, threads: int) -> str:
    return f"{threads} thread(s), {found.hardware.cpu}, commit {found.commit[:10]}.\n"
