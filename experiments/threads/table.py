"""`results/threads.json` in Markdown."""

from experiments.reports.markdown import markdown_columns
from experiments.reports.targets import met_of, targets_table
from experiments.threads.rows import ThreadsResults

CALLS = ["File", "Kind", "Threads", "At a time", "Calls", "Wrong", "Calls/s", "Over one", "MB"]
LOADS = ["File, MB", "With checksum, ms", "Without, ms", "Checksum, ms"]


def threads_table(found: ThreadsResults) -> str:
    """The page, which opens with the answer."""
    wrong = sum(row.wrong for row in found.rows)
    calls = sum(row.calls for row in found.rows if row.threads > 1)
    lines = [
        f"{met_of(found.targets)} {wrong} of {calls:,} texts are wrong. {found.data}, "
        f"{found.recordings} recordings of {found.audio_seconds:.1f} s on average, "
        f"{found.hardware.cores} cores. At a time: calls of a signature that are computed "
        "together, `parallel` of `tflite_export.load`. MB: of the process, afterwards.",
        targets_table(found.targets),
        markdown_columns(
            CALLS,
            [
                [
                    *(row.name, row.kind, str(row.threads), str(row.parallel), f"{row.calls:,}"),
                    *(str(row.wrong), f"{row.calls_per_s:.1f}", f"{row.over_one_thread:.2f}"),
                    f"{row.resident_mb:.0f}",
                ]
                for row in found.rows
            ],
            words=2,
        ),
        markdown_columns(
            LOADS,
            [
                [
                    f"{row.mb:.0f}",
                    *(f"{ms:.1f}" for ms in (row.verified_ms, row.skipped_ms, row.checksum_ms)),
                ]
                for row in found.loads
            ],
            words=0,
        ),
    ]
    return "\n\n".join(part.strip() for part in lines) + "\n"
