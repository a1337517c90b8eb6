"""From a model directory to a `.tflite` file. Needs TensorFlow.

In this order: `bake` writes the quantized weights into a float model, `signatures` and
`live_signatures` name the functions of the file, `convert` runs the TensorFlow converter, `labels`
gives each product its layer's name, `pack` puts the integers in, `attach` adds the metadata and
`serialize` writes the bytes. `full_integer` makes files without any float tensor.
"""
