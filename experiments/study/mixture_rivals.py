"""What a mixture has to beat: a uniform scheme whose file has about its bytes."""

from typing import Any

from experiments.study.error_counts import Cell, References, Speakers, compared, errors

NEAR = 0.02  # as a share of the mixture's bytes

Variant = list[Cell]  # one for each seed


def is_mixture(row: dict[str, Any]) -> bool:
    """Whether the layers of a cell or pooled row differ in precision."""
    return row["weights"] is None


def rival(
    mixture: Variant, variants: list[Variant], references: References, speakers: Speakers
) -> dict[str, Any] | None:
    """The best uniform scheme of a mixture's size, and the mixture's difference to it.

    It has the mixture's activations and training, to the last setting, and its bytes but for
    2%. Among several the one with the fewest errors is taken, so that a mixture is never
    compared with the weaker one.

    Args:
        mixture: its cells.
        variants: those of all variants.
        references: texts of each split.
        speakers: of the same utterances.

    Returns:
        None for what is no mixture, and where there is no scheme of its size.
    """
    first = mixture[0]
    if not is_mixture(first) or not first["executed_on_device"]:
        return None
    found = [
        other
        for other in variants
        if not is_mixture(other[0])
        and other[0]["executed_on_device"]
        and abs(other[0]["bytes"] - first["bytes"]) <= NEAR * first["bytes"]
        and _training(other[0]) == _training(first)
        and {c["baseline"] for c in other} >= {c["baseline"] for c in mixture}
    ]
    if not found:
        return None
    seeds = [cell["seed"] for cell in mixture]
    candidates = [[by_seed[seed] for seed in seeds] for by_seed in map(_by_seed, found)]
    best = min(candidates, key=lambda cells: _rate(cells, references))
    return {
        **{key: best[0][key] for key in ("precision", "executed_on_device")},
        "name": best[0]["variant"],
        "bytes": sum(cell["bytes"] for cell in best) / len(best),
        **compared(list(zip(mixture, best, strict=True)), references, speakers),
    }


def precisions(cell: Cell) -> list[str]:
    """Those of a mixture's layers, that of most layers first."""
    quantization = cell["fingerprint"]["quantization"]
    return list(dict.fromkeys([cell["precision"], *quantization.get("overrides", {}).values()]))


def _training(cell: Cell) -> dict[str, Any]:
    """What decides the outcome but for the precisions of the layers.

    Seed, start and data are those of the baseline.
    """
    made = cell["fingerprint"]
    training = {k: v for k, v in made["training"].items() if k != "seed"}
    quantization = made["quantization"] or {}
    return {
        **{key: cell[key] for key in ("method", "activations")},
        **{key: made.get(key) for key in ("seconds", "full_integer")},
        "training": training,
        "quantization": {
            k: v for k, v in quantization.items() if k not in ("precision", "overrides")
        },
    }


def _by_seed(cells: Variant) -> dict[int, Cell]:
    return {cell["seed"]: cell for cell in cells}


def _rate(cells: Variant, references: References) -> float:
    """Error rate of all cells and splits together."""
    return sum(errors(cell, references, tuple(references)).rate for cell in cells) / len(cells)
