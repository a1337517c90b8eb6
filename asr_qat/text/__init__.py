"""Text: the normaliser of transcripts and the SentencePiece tokenizer. Needs no TensorFlow."""
