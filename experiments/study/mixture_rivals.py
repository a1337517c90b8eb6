"""What a mixture has to beat: a uniform scheme whose file has about its bytes."""

import dataclasses
from collections.abc import Iterable, Sequence

from experiments.study.cell_rows import CellResult, Fingerprint
from experiments.study.paired_differences import Spoken, paired_difference
from experiments.study.study_rows import Rival

NEAR = 0.02  # as a share of the mixture's bytes

Variant = Sequence[CellResult]  # one for each seed


def rival(mixture: Variant, variants: Iterable[Variant], spoken: Spoken) -> Rival | None:
    """The best uniform scheme of a mixture's size, and the mixture's difference to it.

    It has the mixture's activations and training, to the last setting, and its bytes but for
    2%. Among several the one with the fewest errors is taken, so that a mixture is never
    compared with the weaker one.

    Args:
        mixture: its cells.
        variants: those of all variants.
        spoken: what all were scored on.

    Returns:
        None for what is no mixture, and where there is no scheme of its size.
    """
    first = mixture[0]
    if not first.is_mixture or not first.executed_on_device:
        return None
    found = [
        other
        for other in variants
        if not other[0].is_mixture
        and other[0].executed_on_device
        and abs(other[0].bytes - first.bytes) <= NEAR * first.bytes
        and _training(other[0]) == _training(first)
        and {c.baseline for c in other} >= {c.baseline for c in mixture}
    ]
    if not found:
        return None
    by_seed = [{cell.seed: cell for cell in cells} for cells in found]
    candidates = [[cells[cell.seed] for cell in mixture] for cells in by_seed]
    best = min(candidates, key=spoken.rate)
    difference = paired_difference(list(zip(mixture, best, strict=True)), spoken)
    return Rival(
        name=best[0].variant,
        precision=best[0].precision,
        bytes=sum(cell.bytes for cell in best) / len(best),
        **vars(difference),
    )


def layer_precisions(cell: CellResult) -> tuple[str, ...]:
    """Those of a mixture's layers, that of most layers first."""
    overrides = (cell.fingerprint.quantization or {}).get("overrides", {})
    return tuple(dict.fromkeys([cell.precision, *overrides.values()]))


def _training(cell: CellResult) -> tuple[str, str, Fingerprint]:
    """What decides the outcome but for the precisions of the layers.

    Seed, start and data are those of the baseline.
    """
    made = cell.fingerprint
    training = {k: v for k, v in made.training.items() if k != "seed"}
    quantization = {
        k: v for k, v in (made.quantization or {}).items() if k not in ("precision", "overrides")
    }
    same = dataclasses.replace(
        made, method="", start=None, corpus="", training=training, quantization=quantization
    )
    return cell.method, cell.activations, same
