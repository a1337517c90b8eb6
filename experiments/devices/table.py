"""The results of `python -m experiments.devices` in Markdown."""

from experiments.devices.rows import DeviceRow, DevicesResults
from experiments.reports.markdown import markdown_columns
from experiments.reports.targets import met_of, targets_table


def devices_table(found: DevicesResults) -> str:
    """The promises, then a row for each file on each processor."""
    columns = ["Processor", "File", "Arithmetic", "Rows", "Ties", "Not explained"]
    columns += ["Largest error", "Bound"]
    products = [
        [row.cpu, row.file, kind.kind, f"{kind.rows:,}", str(kind.ties), str(kind.unexplained)]
        + [f"{kind.max_error:.1e}", f"{kind.bound:.1e}"]
        for row in found.rows
        for kind in row.kinds
    ]
    whole = [] if found.whole is None else [found.whole]
    texts = ["Processor", "File", "Utterances", "Texts changed", "Floor", "Logits, mean"]
    texts += ["Logits, largest", "XNNPACK runs"]
    parts = [
        f"{met_of(found.targets)}\n",
        "`tflite-export verify` on the processor of the machine and on emulated ones. "
        f"Utterances of {found.data}. Errors are shares of the output's range. A tie is a row with "
        "activations on a rounding edge that went to the other side than on the machine's own "
        "processor. The floor is how many texts change there when the features move by 1e-7.\n",
        f"Products:\n\n{markdown_columns(columns, products)}",
        f"Texts:\n\n{markdown_columns(texts, [_texts(row) for row in (*found.rows, *whole)])}",
        f"All targets:\n\n{targets_table(found.targets)}",
    ]
    return "\n".join(parts)


def _texts(row: DeviceRow) -> list[str]:
    counts = [str(row.utterances), str(row.changed), str(row.floor)]
    logits = [f"{row.mean_logits:.1e}", f"{row.max_logits:.1e}"]
    return [row.cpu, row.file, *counts, *logits, f"{row.delegated:.1%}"]
