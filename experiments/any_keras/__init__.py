"""Keras models of any kind at 4 bits, beside other tools for TFLite."""
