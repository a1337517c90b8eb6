"""Quantization after training: for speech, to the nearest values, and by LiteRT's quantizer."""
