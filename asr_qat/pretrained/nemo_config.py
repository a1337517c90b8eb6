"""NeMo's configuration of a network in terms of this package.

Where a key is absent NeMo's default holds, which is written here too. Keys that change nothing in
a trained network's output are listed with the reason.
"""

from asr_qat.audio.front_end import FrontEndConfig
from asr_qat.errors import require
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.pretrained.encoder_weights import frame_scale
from asr_qat.pretrained.keys import ConfigKeys
from asr_qat.pretrained.network import EncoderLayout, Head

# Model classes, and the heads that their networks have.
TARGETS: dict[str, tuple[Head, ...]] = {
    "EncDecCTCModelBPE": ("ctc",),
    "EncDecRNNTBPEModel": ("transducer",),
    "EncDecHybridRNNTCTCBPEModel": ("transducer", "ctc"),
}
# Keys at the top that say how the network was trained, scored or saved.
TRAINING = (
    *("train_ds", "validation_ds", "test_ds", "optim", "spec_augment", "skip_nan_grad"),
    *("loss", "ctc_reduction", "rnnt_reduction", "compute_eval_loss", "variational_noise"),
    *("normalize_joint_txu", "normalize_encoder_norm", "normalize_decoder_norm"),
    *("normalize_joint_norm", "log_prediction", "use_cer", "interctc", "name", "trainer"),
    *("exp_manager", "init_from_nemo_model", "init_from_ptl_ckpt", "init_from_pretrained_model"),
    "tdt_kwargs",
    "labels",  # the pieces of the tokenizer again
    "model_defaults",  # what the parts were filled in from; they hold the values themselves
    "decoding",  # how NeMo searches; here that is chosen when a file is used
    "nemo_version",  # is in the source record
)
# Of the encoder: rates in training, how attention is computed, what lengths tables hold.
ENCODER_TRAINING = (
    *("dropout_pre_encoder", "dropout_emb", "dropout_att", "stochastic_depth_drop_prob"),
    *("stochastic_depth_mode", "stochastic_depth_start_layer", "att_context_probs"),
    *("pos_emb_max_len", "sync_max_audio_length", "use_pytorch_sdpa"),
    *("use_pytorch_sdpa_backends", "subsampling_conv_chunking_factor"),
    *("global_tokens_spacing", "global_attn_separate"),  # of global tokens, which are refused
    "reduction_position",  # of a reduction, which is refused
)
# Of the preprocessor: noise in training, padding that the encoder masks, ways to compute the same.
FRONT_END_TRAINING = (
    *("dither", "pad_to", "pad_value", "nb_augmentation_prob", "nb_max_freq", "rng"),
    *("use_torchaudio", "stft_exact_pad", "stft_conv", "max_duration"),
)


def class_of(keys: ConfigKeys, key: str = "_target_") -> str:
    """The last word of a key that names a class."""
    return str(keys.take(key, kind=str)).rpartition(".")[2]


def expect_class(keys: ConfigKeys, name: str) -> None:
    """Raise `UserError` unless the part is of the class `name`."""
    found = class_of(keys)
    if found != name:
        raise keys.refusal("_target_", found, f"only {name} can be imported")


def front_end_config(keys: ConfigKeys) -> FrontEndConfig:
    """The front end of NeMo's preprocessor."""
    expect_class(keys, "AudioToMelSpectrogramPreprocessor")
    rate = keys.positive("sample_rate", 16000)
    frame, hop = (
        _samples(keys, f"window_{word}", rate, seconds)
        for word, seconds in (("size", 0.02), ("stride", 0.01))
    )
    keys.only("window", "hann")
    keys.only("normalize", "per_feature")
    keys.only("log", True)
    keys.only("log_zero_guard_type", "add")
    keys.only("frame_splicing", 1)
    keys.only("exact_pad", False)
    keys.only("mag_power", 2.0)
    keys.only("mel_norm", "slaney")
    config = keys.make(
        FrontEndConfig,
        sample_rate=rate,
        frame_ms=1000 * frame / rate,
        hop_ms=1000 * hop / rate,
        mel_bins=keys.take("features", 64, int),
        low_hz=keys.take("lowfreq", 0.0, float),
        high_hz=keys.take("highfreq", None, float) or rate / 2,
        preemphasis=keys.take("preemph", 0.97, float) or 0.0,
        window="symmetric",
        centred=True,
        mel_scale="slaney",
        log_floor=keys.take("log_zero_guard_value", 2.0**-24, float),
        normalization="utterance",
    )
    keys.only("n_fft", None, config.fft_length)
    keys.without_effect(FRONT_END_TRAINING)
    keys.finish()
    return config


def _samples(keys: ConfigKeys, key: str, rate: int, seconds: float) -> int:
    """A length that is given in seconds, or in samples under `n_` + key."""
    samples = keys.take(f"n_{key}", None, int)
    given = keys.take(key, seconds, float)
    return samples if given is None else int(given * rate)


def encoder_config(keys: ConfigKeys, mel_bins: int) -> tuple[EncoderConfig, EncoderLayout]:
    """Shape and layout of NeMo's `ConformerEncoder`.

    Args:
        keys: of the encoder.
        mel_bins: of the front end.
    """
    expect_class(keys, "ConformerEncoder")
    keys.only("feat_in", mel_bins)
    dim = keys.take("d_model", kind=int)
    keys.only("feat_out", -1, dim)
    keys.only("causal_downsampling", False)
    keys.only("reduction", None)
    keys.only("reduction_factor", 1)
    keys.only("global_tokens", 0)
    keys.only("att_context_style", "regular")
    keys.only("att_chunk_context_size", None)
    keys.only("untie_biases", True)
    kernel = keys.take("conv_kernel_size", 31, int)
    side = (kernel - 1) // 2
    keys.only("conv_context_size", None, [side, side])
    keys.only("conv_context_style", "regular")
    keys.only("conv_dual_mode", False)
    channels = keys.take("subsampling_conv_channels", -1, int)
    bias = keys.take("use_bias", True, bool)
    norm = keys.only("conv_norm_type", "batch_norm", "fused_batch_norm", "layer_norm")
    config = keys.make(
        EncoderConfig,
        blocks=keys.take("n_layers", kind=int),
        dim=dim,
        heads=keys.take("n_heads", 4, int),
        attention_context=_context(keys),
        feed_forward=dim * keys.take("ff_expansion_factor", 4, int),
        kernel=kernel,
        subsampling=dim if channels == -1 else channels,
        dropout=keys.take("dropout", 0.1, float),
        subsampling_factor=keys.only("subsampling_factor", 4, 8),
        subsampling_kind=keys.only("subsampling", "striding", "dw_striding"),
        conv_norm="layer" if norm == "layer_norm" else "none",
        norm_epsilon=1e-5,  # PyTorch's
    )
    scale = frame_scale(config) if keys.take("xscaling", True, bool) else 1.0
    keys.without_effect(ENCODER_TRAINING)
    keys.finish()
    return config, EncoderLayout(scale, norm, bias, bias)


def _context(keys: ConfigKeys) -> int | tuple[int, int] | None:
    """The frames that a frame attends to."""
    local = keys.only("self_attention_model", "rel_pos", "rel_pos_local_attn")
    sizes = keys.take("att_context_size", [-1, -1])
    if sizes is None or sizes == [-1, -1]:
        if local == "rel_pos_local_attn":
            raise keys.refusal("att_context_size", sizes, "local attention needs a size")
        return None
    pair = isinstance(sizes, list) and [type(size) for size in sizes] == [int, int]
    if not pair or min(sizes) < 0:
        raise keys.refusal(
            "att_context_size", sizes, "only two numbers from 0 up, or [-1, -1], can be imported"
        )
    left, right = sizes
    return left if left == right and left > 0 else (left, right)


def ctc_head_classes(keys: ConfigKeys, dim: int) -> int:
    """Number of labels of NeMo's `ConvASRDecoder`, without the blank."""
    expect_class(keys, "ConvASRDecoder")
    keys.only("feat_in", None, dim)
    keys.only("add_blank", True)
    pieces = keys.take("vocabulary", None)
    count = keys.take("num_classes", -1, int)
    keys.without_effect(["init_mode"])  # how the weights were drawn
    keys.finish()
    if count <= 0:
        require(isinstance(pieces, list), f"{keys.where}: neither num_classes nor vocabulary")
        return len(pieces)
    return count


def tokenizer_file(keys: ConfigKeys) -> str:
    """Name of the SentencePiece model in the archive."""
    keys.only("type", "bpe")
    model = keys.take("model_path", kind=str)
    # Where the tokenizer lay when the network was trained, and copies of its pieces as text.
    keys.without_effect(["dir", "vocab_path", "spe_tokenizer_vocab", "hf_kwargs", "special_tokens"])
    keys.finish()
    return model.removeprefix("nemo:")
