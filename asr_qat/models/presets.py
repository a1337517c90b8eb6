"""Encoder shapes by name."""

from asr_qat.models.conformer import EncoderConfig

PRESETS: dict[str, EncoderConfig] = {
    # For corpora of about an hour, on which attention over the whole utterance learns whole
    # transcripts by heart.
    "tiny": EncoderConfig(attention_context=8),
    # Table 1 of Gulati et al. (2020). Their 10.3, 30.7 and 118.8 M parameters count the
    # transducer's prediction and joint networks, which a CTC model does not have.
    "S": EncoderConfig(16, dim=144, heads=4, feed_forward=576, kernel=32, subsampling=144),
    "M": EncoderConfig(16, dim=256, heads=4, feed_forward=1024, kernel=32, subsampling=256),
    "L": EncoderConfig(17, dim=512, heads=8, feed_forward=2048, kernel=32, subsampling=512),
}
