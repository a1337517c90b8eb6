"""A transducer with two passes: a causal encoder for live text, a cascade for the final one.

Narayanan et al. (2021), "Cascaded encoders for unifying streaming and non-streaming ASR": both
encoders share the prediction and the joint network.
"""

from tensorflow import keras

from asr_qat.layers.both_passes import OnePass, StackPasses, UnstackPasses
from asr_qat.layers.joint import Joint
from asr_qat.models.conformer import encode_live, encoder_inputs
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.passes import CASCADE, CAUSAL, CTC_HEADS, JOINT_LAYERS
from asr_qat.models.prediction import TransducerConfig
from asr_qat.models.streaming_config import StreamingConfig
from asr_qat.models.transducer import predict_all
from asr_qat.quantize.dense import Dense


def build_live_transducer(
    encoder: EncoderConfig,
    streaming: StreamingConfig,
    config: TransducerConfig,
    vocab_size: int,
    mel_bins: int = 80,
) -> keras.Model:
    """The Functional model that is trained: audio and transcript in, transitions out.

    Args:
        encoder: the causal encoder, and the widths of the cascade.
        streaming: their contexts.
        config: the prediction and joint networks.
        vocab_size: number of tokens; the blank is the class after them.
        mel_bins: features per frame.

    Returns:
        A model from the inputs of `build_transducer` to a list: transitions of the causal pass
        and of the cascade's, or with `streaming.sampling` of one of them; then, with CTC heads,
        the logits of the causal encoder's and of the cascade's.
    """
    features, lengths = encoder_inputs(mel_bins)
    labels = keras.Input((None,), dtype="int32", name="labels")
    encodings = dict(
        zip((CAUSAL, CASCADE), encode_live(features, lengths, encoder, streaming), strict=True)
    )
    frames = [
        Dense(config.joint, name=JOINT_LAYERS[each])(encoded) for each, encoded in encodings.items()
    ]
    predicted = predict_all(labels, config, vocab_size)
    joint = Joint(vocab_size + 1, config.frames_at_once, name="joint_output")
    if streaming.sampling:
        one = OnePass(streaming.causal_weight, name="one_pass")(frames)
        outputs = [joint([one, predicted, labels])]
    else:
        both = StackPasses(name="stack_passes")([*frames, predicted, labels])
        outputs = list(UnstackPasses(name="unstack_passes")(joint(list(both))))
    if config.ctc_weight:
        outputs += [
            Dense(vocab_size + 1, name=CTC_HEADS[each])(encoded)
            for each, encoded in encodings.items()
        ]
    return keras.Model([features, lengths, labels], outputs, name="live_transducer")
