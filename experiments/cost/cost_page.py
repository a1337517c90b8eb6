"""The estimate of `asr-qat cost` in Markdown, with everything it assumes."""

from experiments.cost.cost_estimate import (
    CORPUS_HOURS,
    FLOAT32,
    GPU_COUNT,
    GPUS,
    PASSES,
    UTILISATION,
)
from experiments.cost.cost_rows import CostResults, Range

INTRODUCTION = """Training Conformer transducers on {hours:g} h of LibriSpeech with {gpus} GPUs. An
estimate: no GPU was used. Ranges are those of the assumptions below."""

ASSUMPTIONS = """Assumptions:

- {gpus} GPUs scale without loss beyond the utilisation. Peaks (bfloat16 / float32 products as
  TF32, which holds 8-bit integers exactly; NVIDIA's data sheets, without sparsity) and prices
  for an hour (our assumption of what clouds ask on demand):
  {peaks}.
- Utilisation, the share of that peak over the whole run with input, evaluation and restarts:
  {utilisation}. It is the largest unknown: narrow layers wait for memory.
- float32 in spite of `compute: bfloat16`: {float32}; for w4a8 also all
  products of the encoder with weights.
- Steps and batches are those of the configurations; each batch is full, and its padding is paid
  for like speech, so that there are a few epochs fewer than said.
- Every product is counted: {passes} times the forward pass, with the lengths of the utterances
  measured on {corpus} ({utterances} utterances, {seconds:.1f} s and {labels:.0f} labels on
  average, {vocabulary} word pieces). Other operations are in the utilisation.
- A w4a8 step takes {cost:.2f} times a float step, as on a CPU: preset {preset}, batch of
  {batch} x {length:g} s, {threads} thread(s) of {cpu}, {native:.1f} s against {plain:.1f} s
  ({speed:.0f} GFLOP/s).

TensorFlow's profiler, which leaves out the LSTM's loop, counts products that differ by
{deviations}."""


def _range(values: Range, digits: int = 0) -> str:
    low, high = (f"{value:,.{digits}f}" for value in values)
    return f"{low} to {high}"


def cost_page(found: CostResults) -> str:
    """Tables of operations and of cost, and the assumptions."""
    step, lengths = found.measured_step, found.lengths
    lines = ["| Preset | Parameters | GFLOP for a second of audio | of it the joint network |"]
    lines += ["| --- | ---: | ---: | ---: |"]
    for preset, count in found.counts.items():
        flop = count.flop_per_audio_second
        lines.append(
            f"| {preset} | {count.parameters / 1e6:.1f} M | {flop.total / 1e9:.1f} "
            f"| {flop.joint / flop.total:.0%} |"
        )
    lines += ["", "| Preset | Stage | Steps | Epochs | EFLOP | GPUs | Hours | US dollars |"]
    lines += ["| --- | --- | ---: | ---: | ---: | --- | ---: | ---: |"]
    lines += [
        f"| {row.preset} | {row.stage} | {row.steps:,} | {row.epochs:.0f} "
        f"| {row.exaflop:,.1f} | {GPU_COUNT} {row.gpu} | {_range(row.hours, 1)} "
        f"| {_range(row.dollars)} |"
        for row in found.rows
    ]
    assumptions = ASSUMPTIONS.format(
        gpus=GPU_COUNT,
        peaks=", ".join(
            f"{g.name} {g.bf16 / 1e12:.0f} / {g.tf32 / 1e12:.0f} TFLOP/s, "
            f"${g.price[0]:.2f} to ${g.price[1]:.2f}"
            for g in GPUS
        ),
        utilisation=", ".join(
            f"{name} {_range((100 * low, 100 * high))}%"
            for name, (low, high) in UTILISATION.items()
        ),
        float32=" and ".join(FLOAT32["float"]) + " network",
        passes=PASSES,
        cost=step.native_cost,
        preset=step.preset,
        batch=step.batch,
        length=step.utterance_seconds,
        threads=step.threads,
        cpu=found.hardware.cpu,
        native=step.native_seconds,
        plain=step.float_seconds,
        speed=step.float_flop_per_second / 1e9,
        deviations=", ".join(f"{n} {c.profiler_deviation:+.2%}" for n, c in found.counts.items()),
        corpus=lengths.corpus.split(". ")[0].rstrip("."),
        utterances=lengths.utterances,
        seconds=lengths.seconds,
        labels=lengths.labels,
        vocabulary=lengths.vocabulary,
    )
    introduction = INTRODUCTION.format(hours=CORPUS_HOURS, gpus=GPU_COUNT)
    return "\n".join([introduction, "", *lines, "", assumptions, ""])
