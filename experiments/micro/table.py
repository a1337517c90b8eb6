"""`results/micro.json` in Markdown."""

from experiments.micro.rows import MicroResults, NpuRow
from experiments.reports.markdown import markdown_columns
from experiments.reports.targets import met_of, targets_table


def micro_table(found: MicroResults) -> str:
    """The page, which opens with the answer."""
    parts = [
        f"{met_of(found.targets)}\n",
        f"{found.model} ({found.precision}), one signature of {found.seconds:g} s, activations of "
        f"8 bits, weights of a byte each: {found.file_bytes:,} bytes. {found.data}: "
        f"{found.utterances} utterances that fit.\n",
        f"In TFLM's interpreter (tflite-micro {found.tflm}) it runs in an arena of "
        f"{found.arena_bytes:,} bytes. The texts of {found.same_texts} of {found.utterances} "
        f"utterances are LiteRT's, {100 * found.same_logits:.1f}% of the logits are equal, and the "
        f"others at most {found.most_steps} steps apart; word error rate "
        f"{100 * found.tflm_wer:.2f}% there, {100 * found.litert_wer:.2f}% in LiteRT.\n",
        _kernels(found),
        f"Compiled by Vela {found.vela}, an Ethos-U with SRAM and a flash for weights. Memory and "
        "time are the compiler's estimates: nothing ran on such a chip.\n",
        markdown_columns(
            ["Accelerator", "System", "On the NPU", "On the CPU", "8-bit weights, KiB"]
            + ["Encoded, KiB", "Flash, KiB", "SRAM, KiB", "Estimated, ms"],
            [_cells(npu) for npu in found.npus],
            words=2,
        ),
        f"All targets:\n\n{targets_table(found.targets)}",
    ]
    return "\n".join(parts)


def _kernels(found: MicroResults) -> str:
    if not found.kernels:
        return "Every operator gives the integers that LiteRT's built-in kernels give.\n"
    rows = [
        [each.operator, str(each.count), str(each.differ), str(each.most_steps)]
        for each in found.kernels
    ]
    table = markdown_columns(["Operator", "In the graph", "Differ", "Steps, at most"], rows)
    return (
        "These operators give another integer than LiteRT's built-in kernels, of equal inputs; "
        f"all others give the same:\n\n{table}"
    )


def _cells(npu: NpuRow) -> list[str]:
    numbers = [npu.weights_kib, npu.encoded_kib, npu.flash_kib, npu.sram_kib]
    cells = [npu.accelerator, npu.system, str(npu.npu_operators), str(len(npu.cpu_operators))]
    return [*cells, *(f"{number:.0f}" for number in numbers), f"{npu.estimated_ms:.1f}"]
