"""What a training on LibriSpeech would cost, estimated from measured steps."""
