"""From stock Keras layers to layers with one quantized product each.

A Keras layer may hold no product, one, or several: a `MultiHeadAttention` has four. What is
quantized, named, exported and compared is a product, so a model of stock layers is rewritten first:
the same function, in layers of `asr_qat.quantize` that have one kernel each. `rewrite` does it;
each of the other files knows a family of layers.

    dense             Dense
    einsum            EinsumDense that contracts the last axes of its input
    convolution       Conv1D, Conv2D: of one element dense products, or `patches`
    depthwise         DepthwiseConv, SeparableConv
    attention         MultiHeadAttention
    embedding         Embedding
    recurrent         LSTM, GRU, Bidirectional
    time_distributed  TimeDistributed
    folding           batch normalisation after one of them becomes a part of it
    masks, shapes     what goes around them

A layer that none of them knows stays as it is; `left` says why. `rules` lists them all.
"""
