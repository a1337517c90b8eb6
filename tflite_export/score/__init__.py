"""What a `.tflite` file is worth: error rate, speed, memory, equality with the Keras model.

`evaluate` and `inspect` run without TensorFlow; `compare` and `product_equality` need the Keras
model.
"""
