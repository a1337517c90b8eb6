"""Whole networks of published sizes: bytes, export, speed and memory, beside ONNX Runtime."""
