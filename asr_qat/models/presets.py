"""Model shapes by name."""

from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.prediction import TransducerConfig
from asr_qat.models.streaming_config import StreamingConfig


def _fast(blocks: int, dim: int, feed_forward: int) -> EncoderConfig:
    return EncoderConfig(
        blocks,
        dim=dim,
        heads=8,
        feed_forward=feed_forward,
        kernel=9,
        subsampling=256,
        subsampling_factor=8,
        conv_norm="none",
        norm_epsilon=1e-5,
    )


def _nemo_transducer(layers: int) -> TransducerConfig:
    return TransducerConfig(
        embedding=640, units=640, joint=640, dropout=0.2, layers=layers, activation="relu"
    )


PRESETS: dict[str, EncoderConfig] = {
    # For corpora of about an hour, on which attention over the whole utterance learns whole
    # transcripts by heart.
    "tiny": EncoderConfig(attention_context=8),
    # Table 1 of Gulati et al. (2020).
    "S": EncoderConfig(16, dim=144, heads=4, feed_forward=576, kernel=32, subsampling=144),
    "M": EncoderConfig(16, dim=256, heads=4, feed_forward=1024, kernel=32, subsampling=256),
    "L": EncoderConfig(17, dim=512, heads=8, feed_forward=2048, kernel=32, subsampling=512),
    # The encoders of NeMo's FastConformer large and extra large (Parakeet 0.6B): Rekesh et al.,
    # 2023, arXiv 2305.05084. Batch normalisation is folded into the convolution.
    "fastconformer_l": _fast(17, dim=512, feed_forward=2048),
    "fastconformer_xl": _fast(24, dim=1024, feed_forward=4096),
    # Causal encoders: STREAMING has what is on top of them.
    "live_tiny": EncoderConfig(4),
    # With the cascade as deep and wide as L. Half its kernel, since a stream remembers one frame
    # less than that for each block.
    "live_l": EncoderConfig(7, dim=512, heads=8, feed_forward=2048, kernel=15, subsampling=512),
}

TRANSDUCERS: dict[str, TransducerConfig] = {
    "tiny": TransducerConfig(embedding=128, units=128, joint=128, dropout=0.2, ctc_weight=0.3),
    # The LSTM is that of the paper's decoder. It does not say how wide the embedding and the
    # joint network are: here so that with 1,024 word pieces the whole models have the paper's
    # 10.3, 30.7 and 118.8 M parameters.
    "S": TransducerConfig(embedding=320, units=320, joint=384),
    "M": TransducerConfig(embedding=256, units=640, joint=640),
    "L": TransducerConfig(embedding=640, units=640, joint=640),
    # Those of NeMo's FastConformer transducers of these sizes: `pred_hidden`, `joint_hidden` and
    # `pred_rnn_layers` of its examples/asr/conf/fastconformer/fast-conformer_transducer_bpe.yaml.
    "fastconformer_l": _nemo_transducer(layers=1),
    "fastconformer_xl": _nemo_transducer(layers=2),
    "live_tiny": TransducerConfig(embedding=128, units=128, joint=128, dropout=0.2, ctc_weight=0.3),
    "live_l": TransducerConfig(embedding=640, units=640, joint=640),
}

STREAMING: dict[str, StreamingConfig] = {
    # The first pass waits for 40 ms, the second for 360 ms.
    "live_tiny": StreamingConfig(2, left_context=16, look_ahead=1, right_context=4),
    # The first pass waits for 40 ms, the second for 840 ms.
    "live_l": StreamingConfig(10, left_context=64, look_ahead=1, right_context=2),
}
