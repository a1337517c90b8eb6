"""PyTorch's zip checkpoints written without PyTorch, and `.nemo` archives with other content."""

import gzip
import io
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import yaml

CONFIG, WEIGHTS = "model_config.yaml", "model_weights.ckpt"


def opcodes(value) -> bytes:
    """A text, a number or a tuple of these, as a pickle has it."""
    if isinstance(value, tuple):
        return pickle.MARK + b"".join(map(opcodes, value)) + pickle.TUPLE
    return pickle.dumps(value, protocol=2)[2:-1]


def word(module: str, name: str) -> bytes:
    """A global as a pickle has it."""
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()


def tensor(storage: str, key: str, count: int, shape, strides, offset: int = 0) -> bytes:
    """The call that makes a tensor, as PyTorch pickles it."""
    pid = opcodes("storage") + word("torch", storage) + opcodes(key) + opcodes("cpu")
    pid = pickle.MARK + pid + opcodes(count) + pickle.TUPLE + pickle.BINPERSID
    hooks = word("collections", "OrderedDict") + pickle.EMPTY_TUPLE + pickle.REDUCE
    rest = b"".join(map(opcodes, (offset, tuple(shape), tuple(strides), False)))
    arguments = pickle.MARK + pid + rest + hooks + pickle.TUPLE
    return word("torch._utils", "_rebuild_tensor_v2") + arguments + pickle.REDUCE


def checkpoint(values: dict[str, bytes], storages: dict[str, bytes]) -> bytes:
    """A checkpoint.

    Args:
        values: what each name stands for, in opcodes.
        storages: content of the files of the archive.
    """
    items = b"".join(opcodes(name) + value for name, value in values.items())
    pickled = pickle.PROTO + b"\x02" + pickle.EMPTY_DICT + pickle.MARK + items
    pickled += pickle.SETITEMS + pickle.STOP
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        for key, content in storages.items():
            archive.writestr(f"archive/data/{key}", content)
    return buffer.getvalue()


def of_floats(tensors: dict[str, np.ndarray]) -> bytes:
    """A checkpoint of float32 tensors."""
    values, storages = {}, {}
    for index, (name, array) in enumerate(tensors.items()):
        array = np.ascontiguousarray(array, np.float32)
        strides = [stride // 4 for stride in array.strides]
        values[name] = tensor("FloatStorage", str(index), array.size, array.shape, strides)
        storages[str(index)] = array.tobytes()
    return checkpoint(values, storages)


def members(path: Path) -> dict[str, bytes]:
    """The files of a `.nemo` archive."""
    with tarfile.open(path) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}


def rewritten(path: Path, to: Path, change=None, files: dict[str, bytes] | None = None) -> Path:
    """A plain archive with another configuration or other files.

    Args:
        path: of the archive.
        to: of the new one.
        change: changes the configuration in place.
        files: that replace others, by the end of their names; None for one that goes.
    """
    with tarfile.open(to, "w") as tar:
        for name, content in members(path).items():
            base = name.removeprefix("./")
            if base == CONFIG and change is not None:
                config = yaml.safe_load(content)
                change(config)
                content = yaml.safe_dump(config).encode()
            content = (files or {}).get(base, content)
            if content is not None:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return to


def plain(path: Path, to: Path) -> Path:
    """A gzipped archive unpacked to a plain tar."""
    to.write_bytes(gzip.decompress(path.read_bytes()))
    return to
