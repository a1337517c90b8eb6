"""A NeMo archive as a network that can be imported."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from asr_qat.audio.front_end import FrontEndConfig
from asr_qat.audio.mel_filters import mel_matrix, window
from asr_qat.errors import UserError, require
from asr_qat.models.model_config import ModelConfig
from asr_qat.pretrained.keys import ConfigKeys
from asr_qat.pretrained.nemo_archive import CONFIG, NemoArchive
from asr_qat.pretrained.nemo_config import (
    TARGETS,
    TRAINING,
    class_of,
    ctc_head_classes,
    encoder_config,
    front_end_config,
    tokenizer_file,
)
from asr_qat.pretrained.nemo_transducer import transducer_config
from asr_qat.pretrained.network import Head, Network
from asr_qat.pretrained.tensors import Checkpoint
from asr_qat.text.tokenizer import Tokenizer

WINDOW, FILTERS = "preprocessor.featurizer.window", "preprocessor.featurizer.fb"
CTC_LOSS_WEIGHT = 0.5  # of a hybrid that does not name it
TOLERANCE = 1e-6  # of constants that another library computed


@contextlib.contextmanager
def open_nemo(path: Path, head: Head | None) -> Iterator[tuple[Network, str | None]]:
    """The network in an archive, whose weights are read while the context lasts, and its version.

    Args:
        path: of the archive.
        head: which one of a hybrid's two; None for the only one, or for the transducer.

    Raises:
        UserError: no such archive, damaged, or a network that cannot be imported.
    """
    with NemoArchive.open(path) as archive, archive.checkpoint() as checkpoint:
        keys = ConfigKeys(archive.config(), f"{path}: {CONFIG}")
        version = keys.take("nemo_version", None)
        network = _network(archive, keys, checkpoint, head)
        _check_front_end(checkpoint, network.config.front_end)
        yield network, None if version is None else str(version)


def _network(
    archive: NemoArchive, keys: ConfigKeys, checkpoint: Checkpoint, head: Head | None
) -> Network:
    target = class_of(keys, "target")
    if target not in TARGETS:
        raise keys.refusal("target", target, f"only {', '.join(TARGETS)} can be imported")
    heads = TARGETS[target]
    head = head or heads[0]
    require(head in heads, f"{archive.path}: has no {head} head: it is a {target}")
    front_end = front_end_config(keys.section("preprocessor"))
    keys.only("sample_rate", front_end.sample_rate)
    encoder, layout = encoder_config(keys.section("encoder"), front_end.mel_bins)
    name = tokenizer_file(keys.section("tokenizer"))
    proto = archive.small_file(name)
    try:
        tokenizer = Tokenizer.from_bytes(proto)
    except UserError as error:
        raise UserError(f"{archive.path}: {name}: {error}") from None
    pieces, weight = tokenizer.vocab_size, 0.0
    prefix: str | None = None
    unused: tuple[str, ...] = ()
    transducer = None
    if "ctc" in heads:
        prefix, head_keys = "decoder", keys
        if len(heads) > 1:
            prefix, head_keys = "ctc_decoder", keys.section("aux_ctc")
        classes = ctc_head_classes(head_keys.section("decoder"), encoder.dim)
        require(
            classes == pieces,
            f"{archive.path}: its head has {classes} labels, {name} {pieces} pieces",
        )
        if len(heads) > 1:
            weight = head_keys.take("ctc_loss_weight", CTC_LOSS_WEIGHT, float)
            head_keys.without_effect(["use_cer", "ctc_reduction", "decoding"])
            head_keys.finish()
    if head == "transducer":
        transducer = transducer_config(keys, encoder.dim, pieces, weight)
        if not weight and prefix is not None:  # a head that was not trained
            prefix, unused = None, (f"{prefix}.",)
    elif len(heads) > 1:
        keys.without_effect(["decoder", "joint"])
        unused = ("decoder.", "joint.")
    keys.without_effect(TRAINING)
    keys.finish()
    config = ModelConfig(encoder, front_end, transducer=transducer)
    return Network(config, layout, tokenizer, checkpoint, prefix, unused=unused)


def _check_front_end(checkpoint: Checkpoint, config: FrontEndConfig) -> None:
    """Raise `UserError` if window or filters in the checkpoint are not those of `config`."""
    for name, ours in ((WINDOW, window(config)), (FILTERS, mel_matrix(config).T[None])):
        if name not in checkpoint.shapes():
            continue
        theirs = checkpoint.read(name)
        same = theirs.shape == ours.shape and np.allclose(theirs, ours, rtol=0, atol=TOLERANCE)
        require(same, f"{checkpoint.where}: tensor {name} is not that of its preprocessor")
