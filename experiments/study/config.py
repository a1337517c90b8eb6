"""What a study's configuration file holds."""

import dataclasses
from typing import Any, Literal

from asr_qat.bounds import MOST_SEED, require_within
from asr_qat.errors import require
from asr_qat.quantize.precision import FLOAT, FLOAT_BITS
from experiments.study.promises import Promise

MOST_SECONDS = 3600.0  # of a signature
# Kinds of activations, and how they end the name of a precision.
ACTIVATIONS = {"float": "", "int8 dynamic": "a8", "int8 static": "a8s", "int4 dynamic": "a4"}


@dataclasses.dataclass(frozen=True)
class Group:
    """Some cells of a study that share everything but precision, method and seed.

    The precisions are all pairs of `weights` and `activations`, and `precisions`.

    The report's grid, of weights by activations, has the cells of all groups whose precisions
    such pairs give, without a label: what `recipe`, `quantization` or more of a `training` than
    its steps changes is no part of it. A group of several methods that the grid shows whole has
    no table of its own. Histograms of weights are of natively trained cells of the grid.

    Attributes:
        weights: bits, 32 for float.
        activations: `float`, `int8 dynamic`, `int8 static` or `int4 dynamic`.
        precisions: names, see `asr_qat.quantize.precision` and `asr_qat.quantize.policies`.
        methods: `ptq` quantizes the float baseline after its training, `fake` and `native`
            train quantized.
        training: keys of a training, instead of the study's, for these cells and for the float
            baseline that they are compared with.
        recipe: the same for the quantized trainings alone.
        quantization: keys of a training's `quantization`, such as `overrides`.
        budgets: of bytes, see `experiments.sensitivity.assignment`: a cell for each, whose layers
            have one of `precisions` each, at the least expected loss.
        label: part of the cells' names. Where a `recipe`, a `quantization` or more of a `training`
            than its steps needs one, it is by default the group's name.
        seeds: instead of the study's, also of the baseline.
        seconds: lengths of the signatures, instead of the study's, also of the baseline.
        full_integer: types of activations: each cell gets a further one for each, whose file has
            no float tensor, see `tflite_export.convert.full_integer`. Not with precisions that
            LiteRT does not execute, nor with blocks.
    """

    weights: tuple[int, ...] = ()
    activations: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ()
    methods: tuple[Literal["ptq", "fake", "native"], ...] = ("native",)
    training: dict = dataclasses.field(default_factory=dict)
    recipe: dict = dataclasses.field(default_factory=dict)
    quantization: dict = dataclasses.field(default_factory=dict)
    budgets: tuple[str | int, ...] = ()
    label: str | None = None
    seeds: tuple[int, ...] | None = None
    seconds: tuple[float, ...] | None = None
    full_integer: tuple[Literal["int8", "int16"], ...] = ()

    def __post_init__(self) -> None:
        """Raise `UserError` for a group without cells or with a key in the wrong place."""
        for kind in self.activations:
            known = ", ".join(ACTIVATIONS)
            require(kind in ACTIVATIONS, f"activations: '{kind}' is not one of {known}")
        pairs = bool(self.weights) == bool(self.activations)
        require(pairs, "weights and activations: give both or none")
        some = bool(self.precisions_by_name())
        require(
            some and bool(self.methods), "no cells: give weights and activations, or precisions"
        )
        require("steps" not in self.recipe, "recipe: steps: those of the baseline: see `training`")
        for key in ("seeds", "seconds"):
            require(getattr(self, key) != (), f"{key}: is empty: omit it for the study's")
        _check_lists(self.seeds or (), self.seconds or ())
        for key in ("precision", "mode"):
            require(key not in self.quantization, f"quantization: {key}: see precisions, methods")
        overrides = self.quantization.get("overrides", {})
        require(isinstance(overrides, dict), f"quantization: overrides: {overrides} is no mapping")
        if "ptq" in self.methods:
            # What is left out would look like a result of post-training quantization.
            require(not self.recipe, "recipe: not with the method ptq, which trains no further")

    def precisions_by_name(self) -> list[str]:
        """Names of all precisions, those of the grid first."""
        grid = [_name(w, ACTIVATIONS[a]) for w in self.weights for a in self.activations]
        return list(dict.fromkeys([*grid, *self.precisions]))


@dataclasses.dataclass(frozen=True)
class StudyConfig:
    """A study: cells by precision, method and seed.

    Attributes:
        data: prepared folder.
        output: results without suffix: `OUTPUT.json`, and `OUTPUT/cells` with a file each.
        work: folder for models, `.tflite` files and logs.
        groups: cells by the name of their group.
        start: model directory that all trainings start from, or null.
        seeds: each cell is trained once with each.
        splits: those that are scored; the first is that of the main figures.
        seconds: lengths of the signatures.
        training: keys of a training, for all cells; see `asr-qat train --keys`. By default
            without evaluation, and the last model is kept.
        targets: figures of variants that the study is to reach; they open its report.
    """

    data: str
    output: str
    work: str
    groups: dict[str, Group]
    start: str | None = None
    seeds: tuple[int, ...] = (0, 1, 2)
    splits: tuple[str, ...] = ("test", "dev")
    seconds: tuple[float, ...] = (4.0, 8.0)
    training: dict = dataclasses.field(default_factory=dict)
    targets: tuple[Promise, ...] = ()

    def __post_init__(self) -> None:
        """Raise `UserError` for an empty list or a key that is set elsewhere."""
        for key in ("groups", "seeds", "splits", "seconds"):
            require(len(getattr(self, key)) > 0, f"{key}: is empty")
        _check_lists(self.seeds, self.seconds)
        for where, training in (
            ("training", self.training),
            *((f"groups: {name}: training", group.training) for name, group in self.groups.items()),
            *((f"groups: {name}: recipe", group.recipe) for name, group in self.groups.items()),
        ):
            for key in ("data", "output", "seed", "quantization"):
                require(key not in training, f"{where}: {key}: is set by the study itself")


def _check_lists(seeds: tuple[int, ...], seconds: tuple[float, ...]) -> None:
    """Raise `UserError` for a seed of no training, or a length of no signature."""
    for seed in seeds:
        require_within("seeds", seed, 0, MOST_SEED)
    for length in seconds:
        require(0 < length <= MOST_SECONDS, f"seconds: {length} is not from 0 to {MOST_SECONDS:g}")


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with the values of `changes`; dictionaries in both are merged alike."""
    result = dict(base)
    for key, value in changes.items():
        before = result.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            value = merged(before, value)
        result[key] = value
    return result


def _name(weights: int, suffix: str) -> str:
    return FLOAT if weights == FLOAT_BITS and not suffix else f"w{weights}{suffix}"
