"""From a model directory to a `.tflite` file. Needs TensorFlow.

In this order: `bake` writes the quantized weights into a float model; `convert` takes the
functions of the model's kind and runs the TensorFlow converter; `labels` gives each product its
layer's name; `pack` puts the integers in; `serialize` adds the metadata and writes the bytes.
`full_integer` makes files without any float tensor.
"""
