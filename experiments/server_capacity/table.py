"""`results/server_capacity.json` in Markdown."""

from experiments.reports.markdown import markdown_table
from experiments.reports.targets import met_of, targets_table
from experiments.server_capacity.hostile import EIGHT
from experiments.server_capacity.rows import CapacityResults


def capacity_table(found: CapacityResults) -> str:
    """The page, which opens with the answer."""
    cores = sorted({row.cores for row in found.streams})
    most = ", ".join(f"{found.most_in_time(each)} on {each}" for each in cores)
    header = [
        *("Cores", "Streams", "In time", "Answer, ms: p50", "p95", "p99", "most"),
        *("Chunk, ms: p95", "Late chunks", "Same words", "Longest wait for a place, s"),
        *("Cores used: server", "these clients", "hostile ones", "Memory, MB"),
    ]
    rows = [
        [
            *(str(row.cores), str(row.streams), "yes" if row.in_time(found.chunk_ms) else "no"),
            *(f"{getattr(row.answer_ms, name):.0f}" for name in ("p50", "p95", "p99", "max")),
            f"≤ {row.chunk_ms_p95:.0f}",
            f"{row.late_chunks:.1%}",
            f"{row.same_words} of {row.streams}",
            f"{row.longest_wait_s:.2f}",
            *(f"{row.server_cores:.2f}", f"{row.speakers_cores:.2f}", f"{row.hostile_cores:.2f}"),
            f"{row.memory_mb:.0f}",
        ]
        for row in found.streams
    ]
    wait, memory = found.wait, found.memory
    return "\n".join(
        [
            f"{met_of(found.targets)} Streams in time by cores: {most}. "
            f"{found.file}, {found.seconds:g} s of speech in each stream at its own pace, messages "
            f"of {found.chunk_ms} ms, {found.data}.",
            "",
            targets_table(found.targets),
            markdown_table([header, ["---:"] * len(header), *rows]),
            f"All on the same cores: the server, these clients and {len(EIGHT)} hostile ones, of "
            "which two send a sample every four seconds, one takes no answer, two send as fast as "
            "the server takes it, one breaks off in the middle of the work, one sends what no "
            "message is and one what no request is; they come back at once. An answer is a message "
            "with words, and its time is from when its chunk was due, its last sample spoken. "
            "Chunks are counted by the server, but for those that come faster than speech, which "
            "are worked on when nobody else waits. In time are streams if 95% of the answers and "
            "of the chunks take no longer than a chunk lasts, and all words are those of a session "
            "alone.",
            "",
            f"With {wait.hostile} clients that hold all {wait.places} places and send next to "
            f"nothing, a good one had its place after {wait.longest_wait_s:.2f} s at most, in "
            f"{wait.tries} tries; the others lost theirs {wait.lost} times.",
            "",
            f"{memory.hours:g} hours of audio through one session, in {memory.seconds:.0f} s: "
            f"{memory.memory_mb[0]:.1f} MB after a tenth, {memory.growth_mb:+.1f} MB at most "
            "afterwards.",
            "",
        ]
    )
