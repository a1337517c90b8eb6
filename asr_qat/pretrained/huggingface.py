"""A folder of Hugging Face transformers as a network that can be imported."""

import re
from pathlib import Path
from typing import Any

import yaml

from asr_qat import files
from asr_qat.errors import UserError, require
from asr_qat.models.model_config import ModelConfig
from asr_qat.pretrained.hf_config import (
    GENERAL,
    MODEL_TRAINING,
    MODELS,
    classes,
    encoder_config,
    front_end_config,
    transducer_config,
)
from asr_qat.pretrained.hf_tokenizer import sentencepiece_tokenizer
from asr_qat.pretrained.keys import ConfigKeys
from asr_qat.pretrained.network import Head, Network
from asr_qat.pretrained.safetensors_folder import SafetensorsFolder
from asr_qat.pretrained.tensors import Renamed
from asr_qat.text.tokenizer import Tokenizer

CONFIG, TOKENIZER, README = "config.json", "tokenizer.json", "README.md"
EXTRACTOR, PROCESSOR = "preprocessor_config.json", "processor_config.json"
# Names of transformers, and NeMo's for the same tensors.
_RENAMED = (
    (r"^encoder\.subsampling\.layers\.", "encoder.pre_encode.conv."),
    (r"^encoder\.subsampling\.linear\.", "encoder.pre_encode.out."),
    (r"\.self_attn\.([qkv])_proj\.", r".self_attn.linear_\1."),
    (r"\.self_attn\.o_proj\.", ".self_attn.linear_out."),
    (r"\.self_attn\.relative_k_proj\.", ".self_attn.linear_pos."),
    (r"\.self_attn\.bias_([uv])$", r".self_attn.pos_bias_\1"),
    (r"\.conv\.norm\.", ".conv.batch_norm."),
    (r"^ctc_head\.", "decoder.decoder_layers.0."),
    (r"^decoder\.embedding\.", "decoder.prediction.embed."),
    (r"^decoder\.lstm\.", "decoder.prediction.dec_rnn.lstm."),
    (r"^encoder_projector\.", "joint.enc."),
    (r"^decoder\.decoder_projector\.", "joint.pred."),
    (r"^joint\.head\.", "joint.joint_net.2."),
)


def read_folder(folder: Path, head: Head | None) -> tuple[Network, list[Path], str | None]:
    """The network in a folder, the files of its weights, and the version of the library.

    Args:
        folder: that `save_pretrained` wrote.
        head: the only one that the network has, or None.

    Raises:
        UserError: no such folder, damaged, or a network that cannot be imported.
    """
    keys = ConfigKeys(files.read_json(folder / CONFIG), str(folder / CONFIG))
    kind = keys.take("model_type", kind=str)
    if kind not in MODELS:
        raise keys.refusal("model_type", kind, f"only {', '.join(MODELS)} can be imported")
    found = MODELS[kind]
    require(head in (None, found), f"{folder}: has no {head} head: it is a {kind}")
    version = keys.take("transformers_version", None)
    front_end = front_end_config(_extractor(folder))
    encoder, layout = encoder_config(keys.section("encoder_config"), front_end.mel_bins)
    count, blank = classes(keys, found)
    transducer = None
    if found == "transducer":
        transducer = transducer_config(keys, has_durations=kind == "parakeet_tdt")
    keys.without_effect(GENERAL + MODEL_TRAINING)
    keys.finish()
    checkpoint = SafetensorsFolder(folder)
    network = Network(
        ModelConfig(encoder, front_end, transducer=transducer),
        layout,
        _tokenizer(folder, count, blank),
        Renamed(checkpoint, {name: _nemo_name(name) for name in checkpoint.shapes()}),
        ctc_head="decoder" if found == "ctc" else None,
        classes=_order(count, blank, 0 if transducer is None else len(transducer.durations)),
    )
    return network, checkpoint.paths, None if version is None else str(version)


def _order(count: int, blank: int, durations: int) -> tuple[int, ...]:
    """The network's classes in our order: pieces, the blank, durations, which are last there too.

    Args:
        count: of the pieces and the blank.
        blank: its class.
        durations: number of durations.
    """
    pieces = (index for index in range(count) if index != blank)
    return (*pieces, blank, *range(count, count + durations))


def licence_of(folder: Path) -> str | None:
    """The licence that the front matter of the folder's README names, if any."""
    try:
        text = files.read_text(folder / README)
    except FileNotFoundError:
        return None
    found = re.match(r"---\n(.*?)\n---", text, re.DOTALL)
    try:
        content: Any = yaml.safe_load(found[1]) if found else None
    except Exception:  # the text decides what the constructors of YAML raise
        return None
    licence = content.get("license") if isinstance(content, dict) else None
    return licence if isinstance(licence, str) else None


def _extractor(folder: Path) -> ConfigKeys:
    """The keys of the feature extractor: a file of its own, or a part of the processor's."""
    if (folder / EXTRACTOR).is_file():
        return ConfigKeys(files.read_json(folder / EXTRACTOR), str(folder / EXTRACTOR))
    require((folder / PROCESSOR).is_file(), f"{folder}: neither {EXTRACTOR} nor {PROCESSOR}")
    keys = ConfigKeys(files.read_json(folder / PROCESSOR), str(folder / PROCESSOR))
    extractor = keys.section("feature_extractor")
    # What the head is, which config.json says, and what it calls the blank.
    keys.without_effect(["processor_class", "decoder_type", "blank_token"])
    keys.finish()
    return extractor


def _tokenizer(folder: Path, count: int, blank: int) -> Tokenizer:
    path = folder / TOKENIZER
    try:
        return sentencepiece_tokenizer(files.read_json(path), str(path), count, blank)
    except UserError as error:
        raise UserError(str(error) if str(path) in str(error) else f"{path}: {error}") from None


def _nemo_name(name: str) -> str:
    for pattern, nemo in _RENAMED:
        name = re.sub(pattern, nemo, name)
    return name
