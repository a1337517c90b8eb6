"""Text: normalisation and the SentencePiece tokenizer."""
