"""Recognition with a `.tflite` file: needs LiteRT, numpy and SentencePiece, and no TensorFlow.

`recogniser` transcribes whole recordings, `live` streams; `metadata` is what a file says of itself.
"""
