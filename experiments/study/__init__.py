"""Precision studies: a grid of quantized recognisers, each scored from its `.tflite`."""
