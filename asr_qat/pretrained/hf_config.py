"""The configuration of Parakeet in transformers in terms of this package.

As in `asr_qat.pretrained.nemo_config`, keys that change nothing are listed with the reason.
"""

from asr_qat.audio.front_end import NEMO_FRONT_END, FrontEndConfig
from asr_qat.errors import require
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.prediction import TransducerConfig
from asr_qat.pretrained.encoder_weights import frame_scale
from asr_qat.pretrained.keys import ConfigKeys
from asr_qat.pretrained.network import EncoderLayout, Head

MODELS: dict[str, Head] = {
    "parakeet_ctc": "ctc",
    "parakeet_rnnt": "transducer",
    "parakeet_tdt": "transducer",
}
# Of every configuration: what saved it, of which type, how weights are drawn and given back.
GENERAL = (
    *("architectures", "model_type", "transformers_version", "dtype", "torch_dtype"),
    *("initializer_range", "_name_or_path", "name_or_path", "return_dict", "output_hidden_states"),
    *("output_attentions", "chunk_size_feed_forward", "problem_type", "id2label", "label2id"),
    "is_encoder_decoder",
)
# Of the model: the loss in training, bounds of its own search.
MODEL_TRAINING = ("ctc_loss_reduction", "ctc_zero_infinity", "max_symbols_per_step")
# Of the encoder: rates in training, and lengths of tables.
ENCODER_TRAINING = (
    *("dropout_positions", "layerdrop", "activation_dropout", "attention_dropout"),
    "max_position_embeddings",
)
# Of the feature extractor: names of classes, and how padding is made, which the encoder masks.
EXTRACTOR_FORM = (
    *("feature_extractor_type", "processor_class", "padding_side", "padding_value"),
    *("return_attention_mask", "return_tensors"),
)


def encoder_config(keys: ConfigKeys, mel_bins: int) -> tuple[EncoderConfig, EncoderLayout]:
    """Shape and layout of `ParakeetEncoder`.

    Args:
        keys: of `ParakeetEncoderConfig`.
        mel_bins: of the front end.
    """
    keys.only("num_mel_bins", 80, mel_bins)
    keys.only("hidden_act", "silu")
    keys.only("subsampling_conv_kernel_size", 3)
    keys.only("subsampling_conv_stride", 2)
    heads = keys.take("num_attention_heads", 8, int)
    keys.only("num_key_value_heads", heads)
    config = keys.make(
        EncoderConfig,
        blocks=keys.take("num_hidden_layers", 24, int),
        dim=keys.take("hidden_size", 1024, int),
        heads=heads,
        feed_forward=keys.take("intermediate_size", 4096, int),
        kernel=keys.take("conv_kernel_size", 9, int),
        subsampling=keys.take("subsampling_conv_channels", 256, int),
        dropout=keys.take("dropout", 0.1, float),
        subsampling_factor=keys.only("subsampling_factor", 8, 4),
        conv_norm="none",
        norm_epsilon=1e-5,  # PyTorch's
    )
    layout = EncoderLayout(
        scale=frame_scale(config) if keys.take("scale_input", True, bool) else 1.0,
        dense_bias=keys.take("attention_bias", True, bool),
        conv_bias=keys.take("convolution_bias", True, bool),
    )
    keys.without_effect(GENERAL + ENCODER_TRAINING)
    keys.finish()
    return config, layout


def front_end_config(keys: ConfigKeys) -> FrontEndConfig:
    """The front end of `ParakeetFeatureExtractor`."""
    rate = keys.positive("sampling_rate", 16000)
    bins = keys.take("feature_size", 80, int)
    hop = keys.take("hop_length", 160, int)
    frame = keys.take("win_length", 400, int)
    emphasis = keys.take("preemphasis", 0.97, float)
    config = keys.make(
        FrontEndConfig,
        sample_rate=rate,
        frame_ms=1000 * frame / rate,
        hop_ms=1000 * hop / rate,
        mel_bins=bins,
        low_hz=0.0,
        high_hz=rate / 2,
        preemphasis=emphasis or 0.0,
        window=NEMO_FRONT_END.window,
        centred=NEMO_FRONT_END.centred,
        mel_scale=NEMO_FRONT_END.mel_scale,
        log_floor=NEMO_FRONT_END.log_floor,
        normalization=NEMO_FRONT_END.normalization,
    )
    fft = keys.take("n_fft", 512, int)
    if fft != config.fft_length:
        raise keys.refusal("n_fft", fft, f"only {config.fft_length} can be imported")
    keys.without_effect(EXTRACTOR_FORM)
    keys.finish()
    return config


def classes(keys: ConfigKeys, head: Head) -> tuple[int, int]:
    """Number of classes of the head, durations aside, and which one is the blank."""
    count = keys.take("vocab_size", 1025 if head == "ctc" else 8193, int)
    pad = keys.take("pad_token_id", 1024 if head == "ctc" else 2)
    blank = pad if head == "ctc" else keys.take("blank_token_id", 8192, int)
    inside = isinstance(blank, int) and 0 <= blank < count
    require(inside, f"{keys.where}: the blank {blank!r} is not one of the {count} classes")
    return count, blank


def transducer_config(keys: ConfigKeys, has_durations: bool) -> TransducerConfig:
    """Shape of the prediction and joint networks of `ParakeetForRNNT` or `ParakeetForTDT`."""
    units = keys.take("decoder_hidden_size", 640, int)
    durations = keys.whole_numbers("durations", [0, 1, 2, 3, 4]) if has_durations else ()
    return keys.make(
        TransducerConfig,
        embedding=units,
        units=units,
        joint=units,
        layers=keys.take("num_decoder_layers", 2, int),
        activation=keys.only("hidden_act", "relu", "tanh"),
        durations=durations,
    )
