"""Widths for the layers of a model: least expected loss within a byte budget.

Which layer gets which precision is a multiple-choice knapsack problem: one choice for each layer,
the bytes add up to no more than the budget, and so do the costs, whose sum is to be the least.
It is solved exactly, by dynamic programming over the sums of bytes that layers can have together
(Dudzinski and Walukiewicz, 1987).
"""

import collections
import dataclasses
import re
from collections.abc import Mapping

import numpy as np

from asr_qat.errors import UserError, require
from asr_qat.quantize.apply import QuantizationConfig
from asr_qat.quantize.policies import policy
from asr_qat.quantize.precision import FLOAT
from experiments.sensitivity.layer_sensitivity import LayerSensitivity, Sensitivity

_RATIO = re.compile(r"(\d+(?:\.\d+)?)x")


@dataclasses.dataclass(frozen=True)
class Choice:
    """What a layer can be.

    Attributes:
        bytes: that it takes.
        cost: that it adds.
    """

    bytes: int
    cost: float


@dataclasses.dataclass(frozen=True)
class Assignment:
    """A precision for each layer.

    Attributes:
        precisions: by name of the layer, in the order of the model.
        divergence: sum of the layers' own, in nats per utterance: what is expected of all.
        bytes: of the whole model, with what is not assigned.
        float_bytes: of the whole model in float32.
    """

    precisions: dict[str, str]
    divergence: float
    bytes: int
    float_bytes: int

    @property
    def ratio(self) -> float:
        """How many times smaller than float32."""
        return self.float_bytes / self.bytes

    @property
    def counts(self) -> dict[str, int]:
        """Layers by precision, most first."""
        return dict(collections.Counter(self.precisions.values()).most_common())

    @property
    def overrides(self) -> dict[str, str]:
        """For `QuantizationConfig`: a pattern for each layer, which matches no other."""
        return {f"^{re.escape(name)}$": precision for name, precision in self.precisions.items()}


def cheapest(choices: Mapping[str, Mapping[str, Choice]], budget: int) -> dict[str, str] | None:
    """One choice for each item at the least sum of costs, the bytes together within `budget`.

    Among equals it is one of the fewest bytes. Time and memory grow with the number of different
    sums of bytes up to the budget: some thousands where many layers have the same shape.

    Args:
        choices: by name, of each item.
        budget: bytes of all items together.

    Returns:
        The name of the choice of each item, or None if the least bytes are beyond the budget.
    """
    least = [min(choice.bytes for choice in own.values()) for own in choices.values()]
    room = budget - sum(least)  # for what items before and at hand take beyond their least
    if room < 0:
        return None
    # Sums beyond the least bytes of the items so far, ascending, and the least cost of each.
    spent, costs = np.zeros(1, np.int64), np.zeros(1)
    steps = []
    for own, smallest in zip(choices.values(), least, strict=True):
        more = np.array([choice.bytes - smallest for choice in own.values()])
        added = np.array([choice.cost for choice in own.values()])
        sums = (spent[:, None] + more).ravel()
        totals = (costs[:, None] + added).ravel()
        order = np.lexsort((totals, sums))
        order = order[sums[order] <= room]
        # More bytes are worth it only at a lower cost than all sums below.
        below = np.minimum.accumulate(totals[order])
        kept = order[np.concatenate([[True], totals[order][1:] < below[:-1]])]
        spent, costs = sums[kept], totals[kept]
        steps.append(np.divmod(kept, len(more)))
    state, chosen = len(costs) - 1, []
    for own, (before, choice) in zip(
        reversed(list(choices.values())), reversed(steps), strict=True
    ):
        chosen.append(list(own)[choice[state]])
        state = before[state]
    return dict(zip(choices, reversed(chosen), strict=True))


def assign(sensitivity: Sensitivity, budget: str | int) -> Assignment:
    """The precisions of the least expected loss within a budget.

    The expected loss is the sum of the layers' divergences. What layers do to each other is left
    out: `experiments.sensitivity.check_assignment` measures how well the sum does.

    Args:
        sensitivity: of each layer at each precision to choose from.
        budget: of the whole model, see `budget_bytes`.

    Raises:
        UserError: not a budget, or one that no assignment meets.
    """
    rows = sensitivity.by_layer()
    limit = budget_bytes(sensitivity, budget)
    choices = {
        layer: {name: Choice(row.bytes, row.divergence) for name, row in own.items()}
        for layer, own in rows.items()
    }
    precisions = cheapest(choices, limit - sensitivity.other_bytes)
    if precisions is None:
        least = _bytes(sensitivity, [min(o.values(), key=lambda r: r.bytes) for o in rows.values()])
        raise UserError(
            f"budget {budget}: {limit:,} bytes are not enough: the least with these precisions "
            f"are {least:,} ({sensitivity.float_bytes / least:.2f}x)"
        )
    return assignment(sensitivity, precisions)


def assignment(sensitivity: Sensitivity, precisions: Mapping[str, str]) -> Assignment:
    """Bytes and expected loss of given precisions.

    Args:
        sensitivity: measured at these precisions, among others.
        precisions: by name of the layer.
    """
    measured = sensitivity.by_layer()
    rows = [measured[layer][name] for layer, name in precisions.items()]
    return Assignment(
        dict(precisions),
        sum(row.divergence for row in rows),
        _bytes(sensitivity, rows),
        sensitivity.float_bytes,
    )


def uniform(sensitivity: Sensitivity, name: str) -> Assignment:
    """The assignment that a precision or a policy of this name is.

    Raises:
        UserError: no such name, or a precision that was not measured.
    """
    registry = QuantizationConfig(name).registry()
    precisions = {}
    for layer, own in sensitivity.by_layer().items():
        precision = registry.precision(layer)
        wanted = FLOAT if precision is None else precision.name
        require(wanted in own, f"{name}: {wanted} was not measured: there are {', '.join(own)}")
        precisions[layer] = wanted
    return assignment(sensitivity, precisions)


def budget_bytes(sensitivity: Sensitivity, budget: str | int) -> int:
    """Bytes of the whole model that a budget stands for.

    Args:
        sensitivity: of the model.
        budget: bytes, `5x` for a fifth of float32, or a precision or policy by name: as many
            bytes as that takes.

    Raises:
        UserError: none of these.
    """
    word = str(budget).replace(",", "")
    if word.isdecimal():
        return int(word)
    ratio = _RATIO.fullmatch(word)
    if ratio and float(ratio[1]) > 0:
        return int(sensitivity.float_bytes / float(ratio[1]))
    require(
        is_named(word),
        f"budget {budget}: expected bytes, a ratio to float32 such as 5x, or a precision or policy "
        "such as w4a8",
    )
    return uniform(sensitivity, word).bytes


def is_named(budget: str) -> bool:
    """Whether a budget is the name of a precision or of a policy."""
    try:
        policy(budget)
    except UserError:
        return False
    return True


def _bytes(sensitivity: Sensitivity, rows: list[LayerSensitivity]) -> int:
    return sensitivity.other_bytes + sum(row.bytes for row in rows)
