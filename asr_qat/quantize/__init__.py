"""Native and fake quantization on tfmot's extension points."""
