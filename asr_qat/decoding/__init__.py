"""From logits to text: greedy and beam searches in numpy.

Training, scoring and devices call the same functions. They know a model by its logits, or by the
steps of `transducer_steps`, and need no TensorFlow.
"""
