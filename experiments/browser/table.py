"""`results/browser.json` in Markdown."""

from experiments.browser.rows import BrowserResults
from experiments.reports.markdown import markdown_columns
from experiments.reports.targets import met_of, targets_table


def browser_table(found: BrowserResults) -> str:
    """The page, which opens with the answer."""
    lines = [
        f"{met_of(found.targets)} {found.file} ({found.method}, {found.widths}) in "
        f"{found.browser} with LiteRT.js {found.litertjs}, and in Python: {found.data}, "
        f"{found.utterances} recordings, {found.audio_s:g} s, in pieces of {found.piece_ms} ms.\n",
        targets_table(found.targets),
        f"Of {found.utterances} utterances {found.first} have the same labels at the same frames "
        f"in the first pass, {found.second} in the second; of {found.shown} every transcript that "
        "a user sees on the way is the same.\n",
    ]
    if found.differences:
        rows = [[each.id, each.passes, each.python, each.browser] for each in found.differences]
        lines.append(markdown_columns(["Recording", "Passes", "Python", "Browser"], rows, words=4))
    lines += [
        f"A piece from its samples to its words, front end and searches included; in Python "
        f"{found.python_median_ms:.2f} ms.\n",
        _speed(found),
        "What a browser reads once:\n",
        _download(found),
        *_webgpu(found),
    ]
    return "\n".join(lines)


def _speed(found: BrowserResults) -> str:
    columns = ["Threads", "Load, ms", "Median, ms", "95 of 100, ms", "Worst, ms"]
    columns += ["WebAssembly, MB", "JavaScript, MB", "Process before, MB", "Its peak, MB"]
    rows = [
        [
            str(row.threads),
            f"{row.load_ms:.0f}",
            *(f"{ms:.2f}" for ms in (row.median_ms, row.p95_ms, row.worst_ms)),
            *(f"{mb:.1f}" for mb in (row.wasm_mb, row.javascript_mb, row.before_mb, row.peak_mb)),
        ]
        for row in found.speed
    ]
    return markdown_columns(columns, rows, words=0)


def _download(found: BrowserResults) -> str:
    rows = [[row.part, f"{row.bytes:,}", f"{row.gzip_bytes:,}"] for row in found.download]
    total = [sum(row.bytes for row in found.download), sum(r.gzip_bytes for r in found.download)]
    rows.append(["all", *(f"{size:,}" for size in total)])
    return markdown_columns(["Part", "Bytes", "Compressed (gzip)"], rows, words=1)


def _webgpu(found: BrowserResults) -> list[str]:
    rows = [
        [row.file, row.adapter, name, f"{100 * error:.2g}"]
        for row in found.webgpu
        if row.adapter is not None
        for name, error in row.errors.items()
    ]
    if not rows:
        return ["The browser had no WebGPU.\n"]
    columns = ["File", "Adapter", "Signature", "Largest difference, % of the range"]
    return [
        "WebGPU beside WebAssembly on the same noise:\n",
        markdown_columns(columns, rows, words=3),
    ]
