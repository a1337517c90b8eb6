"""The tensors of a PyTorch checkpoint, read without PyTorch.

A checkpoint is a zip archive: a pickle of names, shapes and strides, and the values of each
storage in a file of its own. A pickle can call any function. This reader admits those few that
PyTorch makes tensors with, and puts its own in their place: nothing of the file is ever run.
"""

import collections
import dataclasses
import pickle
import zipfile
from typing import IO, Any

import numpy as np

from asr_qat.errors import UserError, require

MOST_PICKLE_BYTES = 1 << 26  # names and shapes; the largest networks need a hundredth of it
_TYPES: dict[str, type] = {
    "DoubleStorage": np.float64,
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "BFloat16Storage": np.uint16,  # the upper half of a float32, see `_values`
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}


@dataclasses.dataclass(frozen=True)
class _Storage:
    """Values in a file of the archive: PyTorch's type, the file's name, how many."""

    kind: str
    key: str
    count: int


@dataclasses.dataclass(frozen=True)
class _View:
    """A tensor: which values of a storage are its own."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def inside(self) -> bool:
        """Whether all values lie in the storage."""
        numbers = (self.offset, *self.shape, *self.strides, self.storage.count)
        if len(self.shape) != len(self.strides) or min(numbers) < 0:
            return False
        if 0 in self.shape:
            return True
        steps = zip(self.shape, self.strides, strict=True)
        last = self.offset + sum((size - 1) * stride for size, stride in steps)
        return last < self.storage.count


class TorchCheckpoint:
    """A `Checkpoint` of `torch.save(state_dict)`.

    Args:
        file: the archive, seekable; it must stay open.
        where: it comes from, for messages.

    Raises:
        UserError: no such archive, damaged, truncated, or with anything but tensors in it.
    """

    def __init__(self, file: IO[bytes], where: str):
        self.where = where
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, OSError, EOFError) as error:
            raise UserError(
                f"{where}: not a PyTorch zip checkpoint, or truncated ({error}): download it again"
            ) from None
        names = [name for name in self._zip.namelist() if name.endswith("/data.pkl")]
        require(len(names) == 1, f"{where}: a zip archive, but no PyTorch checkpoint")
        self._root = names[0].removesuffix("data.pkl")
        if f"{self._root}byteorder" in self._zip.namelist():
            order = self._zip.read(f"{self._root}byteorder").decode("ascii", "replace")
            require(order == "little", f"{where}: byte order {order}: only little is read")
        self._views = self._read_pickle(names[0])

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """As in `Checkpoint`."""
        return {name: view.shape for name, view in self._views.items()}

    def read(self, name: str) -> np.ndarray:
        """As in `Checkpoint`."""
        view = self._views[name]
        storage = view.storage
        kind: np.dtype = np.dtype(_TYPES[storage.kind])
        file = f"{self._root}data/{storage.key}"
        try:
            size = self._zip.getinfo(file).file_size
            require(size == storage.count * kind.itemsize, f"{self.where}: {name} is damaged")
            values = np.frombuffer(self._zip.read(file), kind)
        except (KeyError, zipfile.BadZipFile, EOFError, OSError, NotImplementedError) as error:
            raise UserError(
                f"{self.where}: tensor {name} is damaged or truncated ({error}): download it again"
            ) from None
        strides = [stride * kind.itemsize for stride in view.strides]
        own = np.lib.stride_tricks.as_strided(
            values[view.offset :], view.shape, strides, writeable=False
        )
        return _values(own, storage.kind)

    def _read_pickle(self, name: str) -> dict[str, _View]:
        size = self._zip.getinfo(name).file_size
        require(size <= MOST_PICKLE_BYTES, f"{self.where}: {name}: {size:,} bytes of names")
        try:
            with self._zip.open(name) as file:
                content = _TensorPickle(file, self.where).load()
        except UserError:
            raise
        except Exception as error:  # the bytes decide what the unpickler raises
            reason = f"{type(error).__name__}: {error}"
            raise UserError(f"{self.where}: its pickle is damaged ({reason})") from None
        require(isinstance(content, dict), f"{self.where}: not a dictionary of tensors")
        for key, value in content.items():
            tensor = isinstance(key, str) and isinstance(value, _View)
            require(tensor, f"{self.where}: {key}: {type(value).__name__}, expected a tensor")
            require(value.inside(), f"{self.where}: tensor {key} lies outside of its storage")
        return dict(content)


class _TensorPickle(pickle.Unpickler):
    """Unpickles tensors to `_View`s; refuses every other global by its name."""

    def __init__(self, file: IO[bytes], where: str):
        super().__init__(file)
        self._where = where

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch" and name in _TYPES:
            return name
        raise UserError(
            f"{self._where}: its pickle asks for {module}.{name}: only tensors are read, since "
            "anything else could run code: export the weights alone"
        )

    def persistent_load(self, pid: Any) -> _Storage:
        word, kind, key, _, count = pid
        if word != "storage" or kind not in _TYPES:
            raise pickle.UnpicklingError(f"unknown storage {kind}")
        return _Storage(kind, str(key), int(count))


def _rebuild_tensor(storage: _Storage, offset, shape, strides, *_: Any) -> _View:
    """In place of `torch._utils._rebuild_tensor_v2`."""
    if not isinstance(storage, _Storage):
        raise pickle.UnpicklingError("a tensor without a storage")
    return _View(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


def _values(own: np.ndarray, kind: str) -> np.ndarray:
    """A copy in memory of its own, bfloat16 as float32."""
    if kind == "BFloat16Storage":
        return (own.astype(np.uint32) << 16).view(np.float32)
    return np.array(own)
