"""The tensors of a Hugging Face folder, in one or several safetensors files."""

from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401  # gives numpy its bfloat16
import numpy as np

from asr_qat import files
from asr_qat.errors import UserError, require

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"


class SafetensorsFolder:
    """A `Checkpoint` of `model.safetensors`, or of the files that its index names.

    Args:
        folder: that they are in.

    Attributes:
        paths: of the files, in the order of their names.

    Raises:
        UserError: none of them is there, one is missing, or damaged.
    """

    def __init__(self, folder: Path):
        from safetensors import SafetensorError, safe_open

        self.where = str(folder)
        self.paths = _paths(folder)
        self._files: dict[str, Any] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        for path in self.paths:
            try:
                file = safe_open(path, "np")
            except (SafetensorError, OSError) as error:
                raise UserError(f"{path}: damaged or truncated ({error}): copy it again") from None
            for name in file.keys():  # noqa: SIM118  # not a dictionary
                require(name not in self._files, f"{path}: tensor {name} is in another file too")
                self._files[name] = file
                self._shapes[name] = tuple(file.get_slice(name).get_shape())

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """As in `Checkpoint`."""
        return dict(self._shapes)

    def read(self, name: str) -> np.ndarray:
        """As in `Checkpoint`."""
        values = self._files[name].get_tensor(name)
        return values.astype(np.float32) if values.dtype.name == "bfloat16" else values


def _paths(folder: Path) -> list[Path]:
    """The files with weights."""
    if (folder / SINGLE).is_file():
        return [folder / SINGLE]
    index = folder / INDEX
    require(index.is_file(), f"{folder}: neither {SINGLE} nor {INDEX}: not a transformers folder")
    content = files.read_json(index)
    try:
        names = sorted(set(content["weight_map"].values()))
        paths = [folder / Path(name).name for name in names]
    except (KeyError, TypeError, AttributeError):
        raise UserError(f"{index}: no weight_map that names files") from None
    for path in paths:
        require(path.is_file(), f"{path}: is missing, {INDEX} names it")
    return paths
