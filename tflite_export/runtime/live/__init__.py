"""Recognition of audio while it is spoken. Needs LiteRT, numpy and sentencepiece; no TensorFlow."""
