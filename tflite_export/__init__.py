"""The device side: convert, pack, inspect, run and score .tflite files."""
