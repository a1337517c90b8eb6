"""The results of `python -m experiments.any_keras` in Markdown."""

from examples.any_keras.score import FileRow
from experiments.any_keras.example_rows import ExampleRow
from experiments.any_keras.results import AnyKerasResults
from experiments.reports.markdown import markdown_table
from experiments.reports.targets import met_of, targets_table

NONE = "–"
KB = 1000  # bytes


def any_keras_table(found: AnyKerasResults) -> str:
    """The promises, then the sections that were measured."""
    parts = [f"{met_of(found.targets)}\n", targets_table(found.targets)]
    parts += [_example(row) for row in found.examples]
    parts += [_architectures(found)] if found.architectures else []
    parts += [_steps(found)] if found.steps else []
    parts += [_executed(found)] if found.executed else []
    return "\n".join(parts)


def _example(row: ExampleRow) -> str:
    columns = ["File", "kB", "Accuracy % [95%]", "To float, points [95%]", "Verdict", "ms"]
    lines = [columns, ["---", "---:", "---:", "---:", "---", "---:"]]
    lines += [_file(each) for each in row.files]
    notes = [
        f"The {row.name}: {row.parameters / 1000:.0f} thousand parameters, {row.trained:,} "
        f"examples in training, {row.tested:,} in the test; CPU time of one with one thread."
    ]
    if row.left_by_tfmot:
        notes.append(f"tfmot's 8 bits do not know {', '.join(row.left_by_tfmot)}: left in float.")
    notes += [f"{name}: no row: {reason}." for name, reason in row.failures.items()]
    if row.streaming is not None:
        stream = row.streaming
        notes.append(
            f"One file of {stream.bytes / KB:.1f} kB for clips and streams: after the last step of "
            f"{stream.clips} clips no logit is further than {stream.difference:.1e} from that of "
            f"the whole clip, the largest being {stream.range:.1f}."
        )
    return f"{' '.join(notes)}\n\n{markdown_table(lines)}"


def _file(row: FileRow) -> list[str]:
    low, high = (100 * bound for bound in row.accuracy_ci)
    difference = NONE
    if row.difference is not None and row.difference_ci is not None:
        least, most = (100 * bound for bound in row.difference_ci)
        difference = f"{100 * row.difference:+.2f} [{least:+.2f}, {most:+.2f}]"
    return [
        row.name,
        f"{row.bytes / KB:.1f}",
        f"{100 * row.accuracy:.2f} [{low:.1f}, {high:.1f}]",
        difference,
        row.verdict or NONE,
        f"{row.latency_ms:.3f}",
    ]


def _architectures(found: AnyKerasResults) -> str:
    columns = [
        "Architecture", "Precision", "Weights, M", "Products", "Packed %", "MB", "Smaller",
        "Product off", "Output off", "Left in float",
    ]  # fmt: skip
    lines = [columns, ["---", "---", *["---:"] * 7, "---"]]
    for row in found.architectures:
        left = "; ".join(f"{count}: {reason}" for reason, count in row.left.items())
        lines.append(
            [
                row.name,
                row.precision,
                f"{row.weights / 1e6:.2f}",
                str(row.products),
                f"{100 * row.packed:.1f}",
                f"{row.bytes / 1e6:.2f}",
                f"{row.ratio:.1f}x",
                f"{row.product_error:.1e}",
                f"{row.output_error:.1e}",
                left or NONE,
            ]
        )
    about = (
        "Architectures with initial weights, quantized after training and exported; the largest "
        "difference of a product and of an output to Keras, as a share of the range."
    )
    return f"{about}\n\n{markdown_table(lines)}"


def _steps(found: AnyKerasResults) -> str:
    lines = [["Training", "Step, s", "Times float"], ["---", "---:", "---:"]]
    lines += [[row.name, f"{row.seconds:.3f}", f"{row.times:.2f}"] for row in found.steps]
    threads = found.steps[0].threads or "as TensorFlow chooses"
    about = f"A step of MobileNetV2, batch 32, in turn, threads: {threads}."
    return f"{about}\n\n{markdown_table(lines)}"


def _executed(found: AnyKerasResults) -> str:
    columns = ["Product", "Bits", "Written", "Run by", "Off", "Off without XNNPACK", "Repeats"]
    lines = [columns, ["---", "---:", "---", "---", "---:", "---:", "---"]]
    for row in found.executed:
        errors = (row.error, row.error_built_in)
        lines.append(
            [
                row.kind,
                str(row.bits),
                _word(row.written),
                row.by,
                *(NONE if error is None else f"{error:.1e}" for error in errors),
                NONE if row.repeats is None else _word(row.repeats),
            ]
        )
    about = (
        "What LiteRT makes of each kind of product at each width, int8 activations if nothing else "
        "is said; the largest difference to Keras, as a share of the range. What is not written is "
        "stored at the next width that works."
    )
    return f"{about}\n\n{markdown_table(lines)}"


def _word(value: bool) -> str:
    return "yes" if value else "no"
