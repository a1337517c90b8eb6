"""Audio in: decoding, the log-mel front end, augmentation.

`front_end` defines the features; `log_mel` computes them in TensorFlow, `streaming_log_mel` while
audio arrives. Only `log_mel` and `augment` need TensorFlow.
"""
