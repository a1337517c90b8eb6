"""The page of `tflite-export page` in a real browser, beside the same file in Python."""
