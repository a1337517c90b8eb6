"""The weights of a Keras model in one HDF5 file, with a checksum of their values."""

import contextlib
import functools
import hashlib
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import h5py
import numpy as np
from tensorflow import keras

from asr_qat import files, folder_sums
from asr_qat.errors import UserError, require
from asr_qat.quantize.product_layer import ProductLayer

# Of h5py and Keras, where a file is damaged.
_LIBRARY_ERRORS = (
    *(OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError),
    *(OverflowError, MemoryError),
)
WEIGHT_BYTES = 4
LAYERS = "layers"  # the group that Keras saves them in
HDF5_BYTES = 2048  # of each layer and each weight, beside its values; 800 were seen
CHECKSUM = "sha256"  # attribute of the file; those of earlier versions have none


def save_weights(model: keras.Model, path: Path) -> None:
    """Write the weights of `model`, whole or not at all. Raises `UserError` if that fails."""
    failure = ""
    with files.replacing(path) as temporary:
        named = temporary.with_name(f"{temporary.name}.weights.h5")  # Keras insists on this ending
        # Of a model that was compiled Keras saves the optimizer too: the same layers in another.
        compiled = getattr(model, "optimizer", None) is not None
        bare = keras.Model(model.inputs, model.outputs) if compiled else model
        try:
            _require_room(named, bare)
            bare.save_weights(named)
            with h5py.File(named, "r+") as file:
                file.attrs[CHECKSUM] = _checksum(file)
            shutil.move(named, temporary)
        except OSError as error:
            failure = error.strerror or _short(error)
        except RuntimeError as error:  # of h5py
            failure = _short(error)
        finally:
            named.unlink(missing_ok=True)
        require(
            not failure,
            f"{path}: cannot be written ({failure}): make room and run the same command again",
        )


def _require_room(path: Path, model: keras.Model) -> None:
    """Raise `OSError` unless the disk has room for the weights of a model.

    HDF5 does not end well on a full disk: it prints a traceback for each of its objects.
    """
    if not hasattr(os, "posix_fallocate"):  # on macOS
        return
    values = sum(math.prod(weight.shape) * weight.dtype.size for weight in model.weights)
    size = values + HDF5_BYTES * (len(model.layers) + len(model.weights) + 32)
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)


def load_weights(model: keras.Model, path: Path, checked: bool = False) -> None:
    """Read the weights of a model.

    Args:
        model: takes them.
        path: the file.
        checked: the file is known to be as it was written.

    Raises:
        UserError: they are damaged or do not fit the model.
    """
    with _reading(path) as named:
        with h5py.File(named) as file:
            layers = len(file[LAYERS])
            whole = checked or file.attrs.get(CHECKSUM) in (None, _checksum(file))
        if layers != len(model.layers):
            raise ValueError(f"{layers} layers, not {len(model.layers)}")
        model.load_weights(named)
    require(whole, f"{path}: damaged (not the values that were saved): copy it again")


def check_weights(path: Path, least_layers: int, least_weights: int) -> bool:
    """Look at a file before a model is built for it and a library reads all that is in it.

    Args:
        path: the file.
        least_layers: that the model has.
        least_weights: the same.

    Returns:
        Whether the file is known to be as it was written.

    Raises:
        UserError: it is not, or it cannot hold so much.
    """
    checked = folder_sums.check(path.parent, path.name)
    with _reading(path) as named, h5py.File(named) as file:
        size = named.stat().st_size
        _refuse_larger(file, size)
        layers, weights = len(file[LAYERS]), size // WEIGHT_BYTES
        if layers < least_layers or weights < least_weights:
            raise ValueError(
                f"{layers:,} layers and at most {weights:,} weights, "
                f"not {least_layers:,} and {least_weights:,} or more"
            )
    return checked


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[Path]:
    """A local path of a file; what a library says of it becomes a `UserError`."""
    try:
        with files.local(path) as named:
            yield named
    except _LIBRARY_ERRORS as error:
        raise UserError(
            f"{path}: damaged, or made for another configuration or vocabulary ({_short(error)})"
        ) from None


def load_all_but_kernels(
    model: keras.Model,
    path: Path,
    take: Callable[[ProductLayer, np.ndarray], None],
    checked: bool = False,
) -> None:
    """Read the weights of `model` but for the kernels of its products, which it need not have.

    Args:
        model: not quantized.
        path: the file. Errors are those of `load_weights`.
        take: is called with each product's layer and its kernel, one at a time.
        checked: as in `load_weights`.
    """
    for layer in model.layers:
        if isinstance(layer, ProductLayer):
            # Keras finds a layer's place in the file, and asks it to read there.
            layer.load_own_variables = functools.partial(_load_bias, layer, take)
    load_weights(model, path, checked)


def _load_bias(
    layer: ProductLayer,
    take: Callable[[ProductLayer, np.ndarray], None],
    stored: Mapping[str, h5py.Dataset],
) -> None:
    shapes = [tuple(stored[str(i)].shape) for i in range(len(stored))]
    expected = [tuple(weight.shape) for weight in layer.weights]
    if shapes != expected:
        raise ValueError(f"{layer.name}: weights of shapes {shapes}, not {expected}")
    take(layer, stored["0"][()])
    if layer.use_bias:
        layer.bias.assign(stored["1"])


def _refuse_larger(file: h5py.File, size: int) -> None:
    """Raise `ValueError` for an array of more bytes than the file has: it is nothing but zeros."""

    def look(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset) and item.nbytes > size:
            raise ValueError(f"{name}: {item.nbytes:,} bytes in a file of {size:,}")

    file.visititems(look)


def _checksum(file: h5py.File) -> str:
    """SHA-256 of the name, type, shape and values of every array."""
    digest = hashlib.sha256()

    def add(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            digest.update(f"{name} {item.dtype} {item.shape} ".encode())
            digest.update(np.ascontiguousarray(item[()]).data)

    file.visititems(add)
    return digest.hexdigest()


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
