"""From a checkpoint of another library to a model directory."""

import dataclasses
import hashlib
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from asr_qat.errors import UserError, require
from asr_qat.leftovers import remove_left_once, temporary_name
from asr_qat.models.layer_names import CTC_HEAD, FIRST
from asr_qat.models.model_directory import Recogniser
from asr_qat.pretrained.encoder_weights import EncoderWeights, set_dense
from asr_qat.pretrained.huggingface import licence_of, read_folder
from asr_qat.pretrained.nemo import FILTERS, WINDOW, open_nemo
from asr_qat.pretrained.network import Head, Network
from asr_qat.pretrained.tensors import TensorTaker
from asr_qat.pretrained.transducer_weights import load_transducer
from asr_qat.progress import progress_bar
from asr_qat.source import Source
from asr_qat.text.normalizers import PLAIN

MEGABYTE = 10**6  # what the progress of a checksum counts
# Tensors of any NeMo network that change nothing: how often a batch was seen, and constants of
# the front end, which were compared with ours.
COUNTER, CONSTANTS = ".num_batches_tracked", (WINDOW, FILTERS)


def import_checkpoint(
    path: str | Path,
    out: str | Path,
    head: Head | None = None,
    licence: str | None = None,
    attribution: str | None = None,
    quiet: bool = False,
    normalizer: str = PLAIN,
) -> None:
    """Write the model directory of a checkpoint, whole or not at all.

    Args:
        path: a `.nemo` archive, or a folder of transformers.
        out: folder to make.
        head: which one of a network with two; None for the only one, or for the transducer.
        licence: of the weights, instead of the one that the folder's README names.
        attribution: who is to be named with them.
        quiet: without progress.
        normalizer: of the texts that it recognises, see `asr_qat.text.normalizers`.

    Raises:
        UserError: no such checkpoint, damaged, or a network that cannot be imported; or there is
            something at `out`.
    """
    path, out = Path(path), Path(out)
    require(path.exists(), f"{path}: no such checkpoint")
    require(not out.exists(), f"{out}: is there already: choose another --out")
    if path.is_dir():
        network, paths, version = read_folder(path, head)
        recogniser = load(network, quiet)
        library, licence = "transformers", licence or licence_of(path)
    else:
        with open_nemo(path, head) as (network, version):
            recogniser = load(network, quiet)
        library, paths = "nemo", [path]
    source = Source(
        name=path.resolve().name.removesuffix(".nemo"),
        sha256=_checksum(paths, quiet),
        library=library,
        version=version,
        licence=licence,
        attribution=attribution,
    )
    config = dataclasses.replace(recogniser.config, source=source, normalizer=normalizer)
    with _new_folder(out) as temporary:
        dataclasses.replace(recogniser, config=config).save(temporary)


def load(network: Network, quiet: bool = False) -> Recogniser:
    """A float recogniser with the network's weights.

    Raises:
        UserError: a tensor is missing, left over, damaged, or has another shape.
    """
    bins = network.config.front_end.mel_bins
    recogniser = Recogniser.create(network.config, network.tokenizer, np.zeros(bins), np.ones(bins))
    names = network.checkpoint.shapes()
    with progress_bar("import", len(names), "tensor", quiet) as bar:
        tensors = TensorTaker(network.checkpoint, bar.update)
        tensors.skip(
            name
            for name in names
            if name.endswith(COUNTER) or name in CONSTANTS or name.startswith(network.unused)
        )
        config = network.config.encoder
        norm = EncoderWeights(recogniser.model, config, network.layout, tensors).load()
        transducer, classes = network.config.transducer, network.tokenizer.vocab_size + 1
        durations = len(transducer.durations) if transducer is not None else 0
        order = np.array(network.classes or range(classes + durations))
        if network.ctc_head is not None:
            name = f"{network.ctc_head}.decoder_layers.0"
            kernel = tensors.take(f"{name}.weight", classes, config.dim, 1)[:, :, 0]
            bias = tensors.take(f"{name}.bias", classes)
            own = order[:classes]
            set_dense(recogniser.model, CTC_HEAD[FIRST], kernel[own], bias[own], norm)
        if transducer is not None:
            load_transducer(recogniser.model, transducer, config.dim, order, tensors, norm)
        tensors.finish()
    return recogniser


def _checksum(paths: Sequence[Path], quiet: bool) -> str:
    """SHA-256 of the files, one after the other."""
    digest = hashlib.sha256()
    size = sum(-(-path.stat().st_size // MEGABYTE) for path in paths)
    with progress_bar("checksum", size, "MB", quiet) as bar:
        for path in paths:
            with path.open("rb") as file:
                while chunk := file.read(MEGABYTE):
                    digest.update(chunk)
                    bar.update()
    return digest.hexdigest()


@contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """A folder beside `out` that becomes it if the block succeeds, and else goes."""
    out.parent.mkdir(parents=True, exist_ok=True)
    remove_left_once(out.parent)
    temporary = out.with_name(temporary_name(out.name))
    try:
        yield temporary
        temporary.rename(out)
    except OSError as error:
        raise UserError(f"{out}: cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
