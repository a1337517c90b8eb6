"""Files on processors that are not here: `tflite-export verify` in user-mode emulation."""
