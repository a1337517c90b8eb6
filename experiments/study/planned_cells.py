"""The cells that a study's configuration asks for."""

import dataclasses
import itertools
import json
from pathlib import Path
from typing import Literal

from asr_qat.config import from_dict
from asr_qat.errors import UserError
from asr_qat.quantize.apply import QuantizationConfig
from asr_qat.quantize.precision import FLOAT
from asr_qat.training.config import TrainConfig
from experiments.study.config import Group, StudyConfig, merged
from experiments.study.mixtures import Mixture, mixtures
from experiments.study.scheme import precisions

Method = Literal["float", "ptq", "fake", "native"]


@dataclasses.dataclass(frozen=True)
class PlannedCell:
    """One recogniser of a study, with one seed.

    Attributes:
        name: unique, and name of its files.
        variant: the name without the seed: what is pooled over the seeds.
        groups: those that it belongs to.
        method: how it is quantized.
        quantization: precisions, None for float; its mode is that of the training, if any.
        training: what makes the model; of a `ptq` cell the training of its baseline.
        baseline: name of the float cell with the same training, seed and data order, None for
            such a cell itself.
        source: name of the cell whose trained model is exported, None for its own.
        seconds: lengths of the signatures.
        splits: those that are scored.
        full_integer: type of the activations of a file without float tensors, or None.
    """

    name: str
    variant: str
    groups: tuple[str, ...]
    method: Method
    quantization: QuantizationConfig | None
    training: TrainConfig
    baseline: str | None
    source: str | None
    seconds: tuple[float, ...]
    splits: tuple[str, ...]
    full_integer: Literal["int8", "int16"] | None = None

    @property
    def model(self) -> Path:
        """Model directory of the training."""
        return Path(self.training.output)

    @property
    def file(self) -> Path:
        """The `.tflite`."""
        return self.model.with_name(f"{self.name}.tflite")


def expand(config: StudyConfig) -> list[PlannedCell]:
    """All cells of a study, each once: baselines first, then by seed in the order of the file.

    Mixtures are among them once the sensitivity was measured, see `experiments.study.mixtures`.

    Raises:
        UserError: a training or precision that is not valid, or two groups with different cells
            of the same name.
    """
    settings: dict[str, str] = {}
    cells: dict[str, PlannedCell] = {}
    for name, group in config.groups.items():
        setting = _setting_name(config, name, group, settings)
        for cell in _cells(config, name, group, setting):
            before = cells.get(cell.name)
            if before is None:
                cells[cell.name] = cell
                continue
            groups = before.groups if name in before.groups else (*before.groups, name)
            if dataclasses.replace(before, groups=cell.groups) != cell:
                raise UserError(
                    f"groups: {name}: its cell {cell.name} differs from that of "
                    f"{', '.join(before.groups)}: give the group "
                    f"{'another' if group.label else 'a'} `label`"
                )
            cells[cell.name] = dataclasses.replace(before, groups=groups)
    return sorted(cells.values(), key=lambda c: (c.baseline is not None, c.training.seed))


def _setting_name(config: StudyConfig, name: str, group: Group, settings: dict[str, str]) -> str:
    """`s240` for a training of 240 steps; with label or group where more than that differs."""
    training, seconds = merged(config.training, group.training), group.seconds or config.seconds
    key = json.dumps([training, seconds], sort_keys=True)
    short = f"s{training.get('steps', 0)}"
    only_steps = set(group.training) <= {"steps", "evaluate_every"} and seconds == config.seconds
    # Another training of as many steps, for example evaluated more often, may have the short name.
    plain = only_steps and short not in settings.values()
    return settings.setdefault(key, short if plain else f"{short}-{group.label or name}")


def _cells(config: StudyConfig, name: str, group: Group, setting: str) -> list[PlannedCell]:
    where = f"groups: {name}"
    # The development split is scored from the file: no need to evaluate in training.
    common = {"start": config.start, "evaluate_every": None, "keep": "last"}
    base = merged(common, merged(config.training, group.training))
    label = group.label or (name if group.recipe or group.quantization else None)
    cells = []

    def add(variant: str, method: Method, quantization, training, seed: int, kind=None) -> None:
        baseline = f"{FLOAT}_{setting}_seed{seed}"
        own = f"{variant}_seed{seed}"
        trained = own if method in ("fake", "native") else baseline
        values = {
            **training,
            "data": config.data,
            "output": str(Path(config.work) / trained),
            "seed": seed,
            "quantization": dataclasses.asdict(quantization) if trained != baseline else None,
        }
        if kind is not None:
            variant, own = f"{variant}_{kind}", f"{variant}_{kind}_seed{seed}"
        cells.append(
            PlannedCell(
                name=own,
                variant=variant,
                groups=(name,),
                method=method,
                quantization=quantization,
                training=from_dict(TrainConfig, values, f"{where}: training"),
                baseline=None if method == FLOAT else baseline,
                source=None if trained == own else trained,
                full_integer=kind,
                seconds=group.seconds or config.seconds,
                splits=config.splits,
            )
        )

    for seed in group.seeds or config.seeds:
        add(f"{FLOAT}_{setting}", "float", None, base, seed)
        for (short, quantization), method in itertools.product(
            _quantizations(config, group, label, where), group.methods
        ):
            variant = f"{short}_{method}_{setting}"
            training = base
            if method != "ptq":
                quantization = dataclasses.replace(quantization, mode=method)
                training = merged(base, group.recipe)
            for kind in (None, *group.full_integer):
                add(variant, method, quantization, training, seed, kind)
    return cells


def _quantizations(
    config: StudyConfig, group: Group, label: str | None, where: str
) -> list[tuple[str, QuantizationConfig]]:
    """The quantized precisions of a group by a short name."""
    if group.budgets:
        named = mixtures(config, group)
    else:
        names = [name for name in group.precisions_by_name() if name != FLOAT]
        named = [(name, Mixture(name, {})) for name in names]
    found = []
    for short, mixture in named:
        own = group.quantization.get("overrides", {})
        others = {k: v for k, v in mixture.overrides.items() if k not in own}
        values = {
            "precision": mixture.precision,
            **group.quantization,
            "overrides": {**own, **others},
        }
        quantization = from_dict(QuantizationConfig, values, f"{where}: quantization")
        if group.full_integer:
            _check_integer(quantization, where)
        found.append((f"{short}+{label}" if label else short, quantization))
    return found


def _check_integer(quantization: QuantizationConfig, where: str) -> None:
    """Raise `UserError` for a precision that a file without float tensors cannot have."""
    for precision in precisions(quantization):
        if precision is not None and (precision.block or not precision.on_device):
            raise UserError(
                f"{where}: full_integer: {precision.name}: LiteRT has no integer kernels of it: "
                "give the group other precisions"
            )
